import { expect, test } from "vitest";
import { changeLines } from "./change-text.ts";

test.each([
  [
    { path: 'files["/etc/x"].mode', kind: "update", want: "0644", have: "0600" },
    'files["/etc/x"].mode: wanted "0644", is "0600"',
  ],
  [{ path: "packages.curl", kind: "add", want: "any" }, 'packages.curl: missing, wanted "any"'],
  [{ path: "packages.vim", kind: "delete", have: "9.1" }, 'packages.vim: is there, not wanted: "9.1"'],
  [
    { path: "boot", kind: "finding", text: "the rules loaded at boot are others than wanted" },
    "boot: the rules loaded at boot are others than wanted",
  ],
  [{ path: "", kind: "finding", text: "it is upside down" }, "it is upside down"],
  [{ path: "", kind: "add", want: {} }, "all of it: missing, wanted {}"],
] as const)("%o", (change, line) => {
  expect(changeLines(change)).toEqual([line]);
});

test("of long texts only the lines that differ are shown", () => {
  const lines = (nice: string) =>
    ["[Unit]", "Description=x", "[Service]", `Nice=${nice}`, "User=y", ""].join("\n");
  expect(changeLines({ path: "unit", kind: "update", want: lines("0"), have: lines("5") })).toEqual([
    "unit: the text differs",
    "  from line 4:",
    "  - Nice=0",
    "  + Nice=5",
  ]);
});

test("a line that was added by hand", () => {
  expect(changeLines({ path: "t", kind: "update", want: "a\nb\n", have: "a\nnew\nb\n" })).toEqual([
    "t: the text differs",
    "  from line 2:",
    "  + new",
  ]);
});
