import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cpuCores } from "./lscpu.ts";

const read = (stdout: string) => cpuCores.parse({ exitCode: 0, stdout, stderr: "" });

test("cores, not threads", () => {
  const stdout = readFileSync(new URL("fixtures/lscpu.debian12.txt", import.meta.url), "utf8");
  expect(read(stdout)).toBe(2);
  expect(read("# Core,Socket\n0,0\n0,0\n1,0\n1,0\n0,1\n")).toBe(3);
});

test("no lscpu is no answer", () => {
  expect(() => read("")).toThrow("no core");
});
