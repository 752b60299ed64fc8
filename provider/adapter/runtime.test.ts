import { expect, test } from "vitest";
import { readConfiguration } from "./runtime.ts";

const hosts = { rack1: { platform: "linux", address: "10.0.0.11" } };

test("the inventory is read as the engine hands it over, with or without the namespace", () => {
  for (const key of ["hosts", "gpuhost:hosts"]) {
    const { inventory } = readConfiguration({ [key]: JSON.stringify(hosts) });
    expect(inventory.hosts.rack1).toMatchObject({ address: "10.0.0.11", sshConfig: true, base: true });
    expect(inventory.credentials).toEqual({});
  }
});

test("a stack without hosts is no error", () => {
  expect(readConfiguration({}).inventory.hosts).toEqual({});
});

test.each([
  [undefined, false],
  ["false", false],
  ["true", true],
])("refreshBeforeUpdate %s is %s", (value, expected) => {
  expect(readConfiguration({ refreshBeforeUpdate: value }).refreshBeforeUpdate).toBe(expected);
});

test("every fault is told by its path, secrets' values never", () => {
  const faulty = {
    hosts: JSON.stringify({ Rack1: hosts.rack1, rack2: { platform: "linux", adress: "10.0.0.12" } }),
  };
  expect(() => readConfiguration(faulty)).toThrow(
    [
      "the inventory in the stack's configuration cannot be used:",
      "  hosts.Rack1: a host name is lower case letters, digits and inner hyphens",
      "  hosts.rack2.address: is missing: DNS name, IPv4 or IPv6 address that your machine reaches over SSH.",
      "  hosts.rack2.adress: is not a known key; did you mean address?",
    ].join("\n"),
  );
  const secret = { credentials: JSON.stringify({ rack1: { sudoPasword: "hunter2-hunter2" } }) };
  expect(() => readConfiguration(secret)).toThrow(
    /^the inventory in .*:\n {2}credentials\.rack1\.sudoPasword: is not a known key; did you mean sudoPassword\?$/,
  );
});
