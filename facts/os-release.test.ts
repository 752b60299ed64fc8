import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { osRelease } from "./os-release.ts";

const read = (stdout: string) => osRelease.parse({ exitCode: 0, stdout, stderr: "" });
const recorded = (name: string) => readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url), "utf8");

test("Debian, with and without a version", () => {
  const debian = { id: "debian", like: [] };
  expect(read(recorded("os-release.debian12"))).toEqual({
    ...debian,
    name: "Debian GNU/Linux 12 (bookworm)",
  });
  expect(read(recorded("os-release.debian14"))).toEqual({ ...debian, name: "Debian GNU/Linux forky/sid" });
});

test("a derivative names its families; quotes and backslashes as os-release(5) has them", () => {
  expect(read(`ID='linuxmint'\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Linux \\"Mint\\" 22"\n`)).toEqual({
    id: "linuxmint",
    like: ["ubuntu", "debian"],
    name: 'Linux "Mint" 22',
  });
});

test("no such file is no answer", () => {
  expect(() => read("")).toThrow("no ID");
});
