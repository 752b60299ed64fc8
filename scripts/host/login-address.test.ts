import { expect, test } from "vitest";
import { parseLoginAddress, sameAddress } from "./login-address.ts";

test.each([
  ["ops@10.0.0.11", "ops", "10.0.0.11", undefined],
  ["ops@10.0.0.11:22", "ops", "10.0.0.11", 22],
  ["rack1", undefined, "rack1", undefined],
  ["fd00::1", undefined, "fd00::1", undefined],
  ["root@rack1.lan:2222", "root", "rack1.lan", 2222],
  ["root@[fd00::1]:2222", "root", "fd00::1", 2222],
  ["root@[fd00::1]", "root", "fd00::1", undefined],
  ["root@fe80::1%eth0", "root", "fe80::1%eth0", undefined],
  ["me@example.org@rack1", "me@example.org", "rack1", undefined],
  ["DOMAIN\\me@rack1", "DOMAIN\\me", "rack1", undefined],
])("%s", (text, user, address, port) => {
  expect(parseLoginAddress(text)).toEqual({ ...(user && { user }), address, ...(port && { port }) });
});

test.each([
  ["-oProxyCommand=x", "no name of a machine"],
  ["@rack1", "the login user is missing"],
  ["ops@", "the address is missing"],
  ["-oProxyCommand=x@rack1", "no name of a user"],
  ["ops@-oProxyCommand=x", "no name of a machine"],
  ["ops@rack1:0", "0 is no port"],
  ["ops@rack1:70000", "70000 is no port"],
  ["ops@rack1:ssh", "no IPv6 address"],
  ["ops@[rack1]", "no IPv6 address"],
  ["ops@1:2:3", "no IPv6 address"],
])("%s is refused", (text, why) => {
  expect(() => parseLoginAddress(text)).toThrow(why);
});

test("one address has many spellings", () => {
  const at = (address: string, port?: number) => ({ address, ...(port !== undefined && { port }) });
  expect(sameAddress(at("fd00::1"), at("FD00:0::0001"))).toBe(true);
  expect(sameAddress(at("Rack1.lan."), at("rack1.lan"))).toBe(true);
  expect(sameAddress(at("10.0.0.1"), at("10.0.0.1", 22))).toBe(true);
  expect(sameAddress(at("10.0.0.1"), at("10.0.0.1", 2222))).toBe(false);
  expect(sameAddress(at("10.0.0.1"), at("10.0.0.11"))).toBe(false);
});
