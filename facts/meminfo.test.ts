import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { memoryTotal } from "./meminfo.ts";

test("all of the main memory, in bytes", () => {
  const stdout = readFileSync(new URL("fixtures/meminfo.debian12.txt", import.meta.url), "utf8");
  expect(memoryTotal.parse({ exitCode: 0, stdout, stderr: "" })).toBe(24_684_084 * 1024);
  expect(() => memoryTotal.parse({ exitCode: 1, stdout: "", stderr: "" })).toThrow("MemTotal");
});
