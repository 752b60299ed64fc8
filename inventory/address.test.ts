import { expect, test } from "vitest";
import { canonicalAddress } from "./address.ts";

test.each([
  ["10.0.0.5", "10.0.0.5"],
  ["10.0.0.5/32", "10.0.0.5"],
  ["10.0.0.5/24", "10.0.0.0/24"],
  ["10.0.13.5/20", "10.0.0.0/20"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["FD00:0:0::1", "fd00::1"],
  ["fd00::1/128", "fd00::1"],
  ["fd00::1/64", "fd00::/64"],
  ["2001:db8:ffff::/33", "2001:db8:8000::/33"],
  ["::ffff:10.0.0.1", "::ffff:a00:1"],
])("%s is written %s", (text, written) => {
  expect(canonicalAddress(text)).toBe(written);
});

test.each(["rack1", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "fe80::1%eth0", "10.0.0.1/8/9", "fd00::/129", ""])(
  "%j is no address",
  (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  },
);
