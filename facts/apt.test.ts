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
