import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fileSystemOf } from "./df.ts";

const read = (stdout: string) => fileSystemOf("/var/lib").parse({ exitCode: 0, stdout, stderr: "" });

test("size and free room of the file system", () => {
  const stdout = readFileSync(new URL("fixtures/df.debian12.txt", import.meta.url), "utf8");
  expect(read(stdout)).toEqual({ size: 264_212_084 * 1024, available: 77_802_240 * 1024 });
});

test("a device whose name holds blanks", () => {
  expect(read("//nas/big disk 1000 400 600 40% /var/lib\n").available).toBe(600 * 1024);
});

test("no such path is no answer", () => {
  expect(() => read("")).toThrow("how large");
});
