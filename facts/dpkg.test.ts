import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packages } from "./dpkg.ts";

const parse = (stdout: string) => packages([]).parse({ exitCode: 0, stdout, stderr: "" });
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

test("packages come with state and version; one that dpkg does not know is left out", () => {
  const found = parse(fixture("dpkg-some.debian12.txt"));
  expect([...found.keys()]).toEqual(["curl", "libc6", "ufw"]);
  expect(found.get("ufw")).toEqual({ status: "installed", version: "0.36.2-1" });
});

test("a package that is installed for a foreign architecture only is not there", () => {
  expect(parse(fixture("dpkg-foreign.debian12.txt"))).toEqual(
    new Map([["lab-slow", { status: "half-configured", version: "1.0" }]]),
  );
});

test("a package that was there once is not there", () => {
  // As dpkg 1.21 printed it of a package that was removed and purged by autoremove.
  expect(parse("amd64\nlab-alt\t\tnot-installed\t\tunknown\n").size).toBe(0);
});

test("an answer without architecture is not understood", () => {
  expect(() => parse("")).toThrow("architecture");
});

test("a package that apt is to leave as it is", () => {
  const found = parse(fixture("dpkg-held.debian12.txt"));
  expect(found.get("curl")).toEqual({ status: "installed", version: "7.88.1-10+deb12u15", held: true });
  expect(found.get("lab-both")).toEqual({ status: "installed", version: "1.0" });
});

test("names that dpkg does not know are an answer, a database that it cannot read is none", () => {
  const stdout = fixture("dpkg-held.debian12.txt");
  expect(packages([]).parse({ exitCode: 1, stdout, stderr: "" }).size).toBe(2);
  const stderr = fixture("dpkg-cut-off.debian12.txt");
  expect(() => packages([]).parse({ exitCode: 2, stdout: "amd64\n", stderr })).toThrow("error: parsing file");
});

test("a package that is only mentioned by another one is not there", () => {
  expect([...parse(fixture("dpkg-mentioned.debian12.txt")).keys()]).toEqual(["curl"]);
});
