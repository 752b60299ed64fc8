import { expect, test } from "vitest";
import { groundOf } from "./ground-of.ts";
import { linux } from "./linux.ts";

test("a Linux machine has its ground, and a system without one is refused by name", () => {
  expect(groundOf({ name: "rack1", system: "linux" })).toBe(linux);
  expect(() => groundOf({ name: "office3", system: "windows" })).toThrow(
    "office3: gpu-hosts cannot change a windows machine yet",
  );
});
