import { expect, test } from "vitest";
import { download } from "#provider/resources/download/download.ts";
import { files } from "#provider/resources/files/files.ts";
import { differ } from "./differ.ts";

const entry = (content: string) => ({ content, mode: "0644", owner: "root:root" });
const map = (files: Record<string, unknown>) => ({ files });
const a = map({ "/a": entry("1") });
const both = map({ "/a": entry("1"), "/b": entry("2") });
const told = (
  applied: Record<string, unknown> | undefined,
  inputs: Record<string, unknown>,
  news: Record<string, unknown>,
  hosts: [string, string] = ["rack1", "rack1"],
) =>
  differ(files, { host: hosts[0], inputs, applied }, { host: hosts[1], inputs: news }).map(
    (c) => `${c.kind} ${c.key}${c.replaces ? " (replace)" : ""}`,
  );

test("nothing differs when state and program agree", () => {
  expect(told(a, a, a)).toEqual([]);
});

test("a changed item is told by its path", () => {
  expect(told(a, a, map({ "/a": entry("x") }))).toEqual(['update files["/a"].content']);
});

test("after a refresh of a hand edit, the program's wish differs from the refreshed inputs", () => {
  expect(told(a, map({ "/a": entry("edited") }), a)).toEqual(['update files["/a"].content']);
});

test("an item gone from the program and from the refreshed host is still to be released", () => {
  expect(told(both, a, a)).toEqual(['delete files["/b"]']);
});

test("a resource that a refresh found empty is made anew", () => {
  expect(told(a, {}, a)).toEqual(["add files"]);
});

test("another host replaces", () => {
  expect(told(a, a, a, ["rack1", "rack2"])).toEqual(["update host (replace)"]);
});

test("another identity replaces; one that a refresh did not find, or found changed, is repaired in its place", () => {
  const of = (digit: string) =>
    download.inputs.parse({ name: "tool", url: "https://x.test/tool.bin", sha256: digit.repeat(64) });
  const told = (inputs: Record<string, unknown>, news: Record<string, unknown>) =>
    differ(download, { host: "rack1", inputs, applied: of("a") }, { host: "rack1", inputs: news })
      .filter(({ replaces }) => replaces)
      .map(({ key }) => key);
  expect(told(of("a"), of("b"))).toEqual(["sha256"]);
  expect(told({}, of("a"))).toEqual([]);
  expect(told({ ...of("a"), sha256: "changed by hand" }, of("a"))).toEqual([]);
  expect(told({}, of("b"))).toEqual(["sha256"]);
});
