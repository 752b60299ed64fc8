import { expect, test } from "vitest";
import { hashOf } from "./hash.ts";

test("a hash does not depend on the order of keys", () => {
  expect(hashOf({ a: 1, b: { c: [1, 2], d: 3 } })).toBe(hashOf({ b: { d: 3, c: [1, 2] }, a: 1 }));
  expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
});
