import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ipv4Addresses } from "./ip-address.ts";

const read = (name: string) => {
  const stdout = readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url), "utf8");
  return ipv4Addresses.parse({ exitCode: 0, stdout, stderr: "" });
};

test("one address, and two on one device", () => {
  expect(read("ip-address.debian14")).toEqual([{ device: "eth0", address: "10.97.3.12" }]);
  expect(read("ip-address-two.debian12").map(({ address }) => address)).toEqual([
    "10.97.5.11",
    "192.168.7.11",
  ]);
});

test("none at all", () => {
  expect(ipv4Addresses.parse({ exitCode: 0, stdout: "[{},{}]\n", stderr: "" })).toEqual([]);
});
