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

test("cores of two kinds, which lscpu numbers from 0 for each", () => {
  // Not recorded: the form of the kernel (Documentation/admin-guide/cputopology.rst), of 4 and 4 cores
  // without threads.
  expect(read(["01", "02", "04", "08", "10", "20", "40", "80", ""].join("\n"))).toBe(8);
  expect(read(readFileSync(new URL("fixtures/thread-siblings.debian12.txt", import.meta.url), "utf8"))).toBe(
    2,
  );
});

test("two threads of a core, on a machine with more than 32 of them", () => {
  const masks = ["00000001,00000001", "00000002,00000002"];
  expect(read(`${[...masks, ...masks].join("\n")}\n`)).toBe(2);
});
