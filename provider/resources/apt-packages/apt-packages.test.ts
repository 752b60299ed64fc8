import { expect, test } from "vitest";
import { automaticPackages } from "#facts/apt.ts";
import { packages } from "#facts/dpkg.ts";
import { diversions, packageFiles } from "#facts/package-files.ts";
import { stepText } from "#tests/support/step-text.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { aptPackages } from "./apt-packages.ts";

const want = aptPackages.inputs.parse({ packages: { curl: "any", tool: "1.0" } });

interface Brought {
  /** Answer on files of packages. */
  readonly files?: string;
  readonly diverted?: string;
}

/** @param rows of dpkg-query @param automatic names of packages marked so */
const hostWith = (
  names: readonly string[],
  rows: readonly string[],
  automatic: readonly string[] = [],
  { files = "", diverted = "" }: Brought = {},
) =>
  fakeHost({
    [keyOf(packageFiles(["curl", "tool"], { deep: false, libraries: true }).command)]: files,
    [keyOf(diversions.command)]: diverted,
    [keyOf(packages(names).command)]: ["amd64", ...rows.map((row) => row.replaceAll(" ", "\t")), ""].join(
      "\n",
    ),
    [keyOf(automaticPackages(names).command)]: `amd64\n${automatic
      .map((name) => `Package: ${name}\nArchitecture: amd64\nAuto-Installed: 1\n`)
      .join("--\n")}`,
  });

const observed = (rows: readonly string[], automatic: readonly string[] = [], last?: typeof want) => {
  const names = Object.keys({ ...last?.packages, ...want.packages });
  return aptPackages.observe(hostWith(names, rows, automatic), want, last);
};
const seen = async (...on: Parameters<typeof observed>) => (await observed(...on))?.config.packages;

const stepsFrom = (have: Parameters<typeof aptPackages.apply>[1], before: Record<string, string> = {}) =>
  [...aptPackages.apply(want, have, { before: (item) => before[item] })].map(stepText).join("\n");
const steps = (have: Record<string, string>, before?: Record<string, string>) =>
  stepsFrom({ config: { packages: have } }, before);

test("an unpinned package is as wanted at any version, a pinned one shows its own", async () => {
  expect(await seen(["curl amd64 installed 7.1", "tool all installed 2.0"])).toEqual({
    curl: "any",
    tool: "2.0",
  });
});

test("what is removed, half installed or only a dependency is not as wanted", async () => {
  const broken = await observed(["curl amd64 config-files 7.1", "tool all half-configured 1.0"]);
  expect(broken?.config.packages).toEqual({ tool: "1.0" });
  expect(broken?.findings).toEqual([
    { path: ["packages", "tool"], text: "is half-configured: dpkg has not come to the end with it" },
  ]);
  expect(stepsFrom(broken)).toContain(" tool=1.0");
  const dependency = await observed(["curl amd64 installed 7.1", "tool all installed 1.0"], ["curl"]);
  expect(dependency?.config.packages).toEqual({ curl: "any", tool: "1.0" });
  expect(dependency?.findings).toEqual([
    { path: ["packages", "curl"], text: expect.stringContaining("only as a dependency") },
  ]);
  // As the owners record keeps it, so that it is one again at the end.
  expect(dependency?.originals).toEqual({ "package curl": "automatic" });
  expect(await seen([])).toBeUndefined();
});

test("programs and libraries that are not as they were installed; data, and what packages divert, do not count", async () => {
  const rows = ["curl amd64 installed 7.1 hold", "tool all installed 1.0"];
  const files = [
    "package\tcurl",
    "changed\t/usr/bin/curl",
    "missing\t/usr/share/x/data",
    "touched\tf\t4755\troot:root\t\t/usr/bin/touched",
    "touched\tf\t644\troot:root\t\t/usr/bin/run-by-nobody",
    "missing\t/usr/bin/mine",
    "missing\t/usr/lib/theirs.so",
    "package\tlibcurl4",
    "touched\tf\t666\troot:root\t\t/usr/lib/libcurl.so.4",
  ];
  const diverted = [
    "local diversion of /usr/bin/mine to /usr/bin/mine.real",
    "diversion of /usr/lib/theirs.so to /usr/lib/theirs.distrib by other",
  ];
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
  const found = await aptPackages.observe(
    hostWith(["curl", "tool"], rows, [], { files: text(files), diverted: text(diverted) }),
    want,
    undefined,
  );
  expect(found?.status).toMatchObject({ held: ["curl"] });
  expect(found?.findings?.map((finding) => finding.text)).toEqual([
    "the file /usr/bin/curl of package curl is not as it was installed",
    "the file /usr/bin/run-by-nobody of package curl may be run by nobody (644)",
    "the file /usr/bin/mine of package curl was put away as /usr/bin/mine.real by somebody with dpkg-divert",
    "the file /usr/lib/libcurl.so.4 of package libcurl4 may be written by everybody (666)",
  ]);
  const repair = stepsFrom(found);
  expect(repair).toContain("dpkg-divert --local --rename --remove /usr/bin/mine");
  expect(repair).toMatch(/apt-get install --reinstall .*\$exact/);
  expect(repair).toContain("apt-mark showauto curl libcurl4");
});

test("a package no longer wanted is gone once only others need it", async () => {
  const last = aptPackages.inputs.parse({ packages: { extra: "any" } });
  const rows = ["curl amd64 installed 7.1", "extra all installed 3.0"];
  expect(await seen(rows, [], last)).toEqual({ curl: "any", extra: "any" });
  expect(await seen(rows, ["extra"], last)).toEqual({ curl: "any" });
});

test("only what differs is installed, and never at the price of another package", () => {
  const text = steps({ curl: "any", tool: "2.0" });
  expect(text).toContain(" tool=1.0");
  expect(text).not.toContain("curl");
  expect(text).toContain("--no-remove");
});

test("a dependency that is now wanted is marked, not upgraded", async () => {
  const text = stepsFrom(await observed(["curl amd64 installed 7.1", "tool all installed 1.0"], ["curl"]));
  expect(text).toContain("apt-mark manual curl");
  expect(text).not.toContain("install");
});

test("of packages no longer wanted, only those that came with us are removed", () => {
  const have = { curl: "any", tool: "1.0", ours: "any", theirs: "any", dependency: "any" };
  const text = steps(have, { "package theirs": "any", "package dependency": "automatic" });
  expect(text).toContain("ours");
  expect(text).not.toContain("theirs");
  expect(text).toContain("apt-mark auto dependency");
});

test("a package of which nothing was there before is not put back, an automatic one is", () => {
  expect(aptPackages.restored?.("1.0", "2.0")).toBe(true);
  expect(aptPackages.restored?.("automatic", "any")).toBe(false);
});

test.each([
  [{ "curl=7": "any" }, "package name"],
  [{ Curl: "any" }, "package name"],
  [{ curl: "latest" }, "apt-cache madison"],
])("%j is refused", (packages, said) => {
  expect(JSON.stringify(aptPackages.inputs.safeParse({ packages }).error?.issues)).toContain(said);
});

test("two stacks may share an unpinned package, not a pinned one", () => {
  expect(aptPackages.items(want).map(({ name, shared }) => `${name} ${shared}`)).toEqual([
    "package curl true",
    "package tool false",
  ]);
});
