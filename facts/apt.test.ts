import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { automaticPackages } from "./apt.ts";

const parse = (stdout: string) => automaticPackages([]).parse({ exitCode: 0, stdout, stderr: "" });
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

test("packages marked automatic are found, those marked manual again are not", () => {
  expect(parse(fixture("apt-automatic.debian12.txt"))).toEqual(new Set(["libcurl4", "libssl3"]));
});

test("a machine without marks has no automatic packages", () => {
  expect(parse("amd64\n")).toEqual(new Set());
});

test("the mark of a foreign architecture's package does not count", () => {
  expect(parse(fixture("apt-two-architectures.debian12.txt"))).toEqual(new Set(["curl"]));
});

test("marks that cannot be read are no absence of marks", () => {
  const stderr = "grep: /var/lib/apt/extended_states: Permission denied\n";
  expect(() => automaticPackages([]).parse({ exitCode: 2, stdout: "amd64\n", stderr })).toThrow("denied");
  expect(() => parse("amd64\nPackage: curl\n")).toThrow("not the mark of a package");
});
