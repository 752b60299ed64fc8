import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createRuntime, lookSeconds, readConfiguration } from "./runtime.ts";

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

const key = execFileSync("sh", [
  "-c",
  "d=$(mktemp -d) && ssh-keygen -q -t ed25519 -N '' -f $d/k && cat $d/k; rm -r $d",
]).toString();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Hosts at which something takes connections and never says a word. */
async function silentHosts(count: number): Promise<Record<string, object>> {
  const server = createServer((socket) => socket.on("error", () => undefined).unref()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  ends.push(() => server.close());
  const { port } = server.address() as { port: number };
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `h${i + 1}`,
      { platform: "linux", address: "127.0.0.1", port, sshConfig: false, user: `u${i}` },
    ]),
  );
}

test("silent hosts that are asked for in turn are waited for together, and each is told once, in a line", async () => {
  const said: string[] = [];
  const runtime = createRuntime(
    {
      hosts: JSON.stringify(await silentHosts(40)),
      credentials: JSON.stringify(
        Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`h${i + 1}`, { privateKey: key }])),
      ),
    },
    async (_, severity, message) => void (severity === "warning" && said.push(message)),
    new AbortController().signal,
  );
  ends.push(() => runtime.close());
  const begun = Date.now();
  for (let i = 1; i <= 40; i++) {
    runtime.approachAll();
    for (const resource of ["files", "packages", "firewall"]) {
      const reach = await runtime.reach(`h${i}`, { withinSeconds: lookSeconds, urn: `h${i}-${resource}` });
      if (reach.state === "unreachable") await runtime.warnOfHost(`not compared: ${reach.error.message}`);
    }
  }
  expect(Date.now() - begun).toBeLessThan(2 * lookSeconds * 1000);
  expect(said).toHaveLength(40);
  expect(said[7]).toMatch(/^not compared: h8 \(u7@127\.0\.0\.1:\d+\): no SSH login at .*; is it on/);
  expect(said.join("")).not.toContain("\n");
}, 60_000);
