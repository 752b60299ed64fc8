import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { lockedPaths } from "./lsattr.ts";

const stdout = readFileSync(new URL("fixtures/lsattr.debian12.txt", import.meta.url), "utf8");

test("what is immutable or can only be added to is told", () => {
  expect(lockedPaths([]).parse({ exitCode: 0, stdout, stderr: "" })).toEqual([
    { path: "/srv/words-imm/locked", attribute: "i" },
    { path: "/srv/words-imm/log", attribute: "a" },
    { path: "/srv/words-imm/conf", attribute: "i" },
  ]);
});
