import { expect, test } from "vitest";
import type { Change } from "#provider/contract/resource.ts";
import { takeoverText } from "./takeover.ts";

const file = (at: string) => ({ name: `file ${at}`, path: ["files", at] });
const change = (at: string, key: string, have: unknown, want: unknown): Change => ({
  path: ["files", at, key],
  kind: "update",
  have,
  want,
});
const text = (adopted: { name: string; path: string[] }[], changes: Change[], secrets: string[][] = []) =>
  takeoverText({
    host: "rack1",
    adopted,
    changes,
    secretPaths: secrets,
    mask: (text) => text.replaceAll("hunter2", "[secret]"),
  });

test("each item is told with what changes about it, texts by the first line that differs", () => {
  const changes = [
    change("/etc/x", "mode", "0600", "0644"),
    change("/etc/x", "content", "same\ntheirs is\n", "same\nours is\n"),
    change("/etc/new", "content", undefined, "not adopted"),
  ];
  expect(text([file("/etc/x"), file("/etc/y")], changes)).toBe(
    `takes over what is on rack1; what changes is put back when it leaves the stack:
  file /etc/x: mode 0600 → 0644, content from line 2 on "theirs is" → "ours is"
  as wanted already: file /etc/y`,
  );
});

test("what needs no change is told as that", () => {
  expect(text([file("/etc/x")], [])).toBe("takes over what is on rack1:\n  as wanted already: file /etc/x");
});

test("secrets are not shown, neither the wanted ones nor what stands in their place nor where they turn up elsewhere", () => {
  const changes = [
    change("/etc/key", "content", "their-key", "our-key"),
    change("/etc/x", "content", "password hunter2", "none"),
  ];
  const told = text([file("/etc/key"), file("/etc/x")], changes, [["files", "/etc/key", "content"]]);
  expect(told).toContain("file /etc/key: content changes (secret)");
  expect(told).toContain('file /etc/x: content "password [secret]" → none');
  expect(told).not.toMatch(/their-key|our-key|hunter2/);
});

test("a screenful is enough, whatever is there", () => {
  const many = Array.from({ length: 50 }, (_, i) => file(`/etc/${i}`));
  const changes = many
    .slice(0, 30)
    .map(({ path }) => change(path[1] ?? "", "content", "x".repeat(5000), "y"));
  const told = text(many, changes);
  expect(told.split("\n")).toHaveLength(15);
  expect(told).toContain("and 18 more that change; `npm run plan` has them all");
  expect(told).toMatch(/as wanted already: file \/etc\/30, .*, 8 more$/);
  expect(told.length).toBeLessThan(2500);
});

test("of long lines the words that differ are told", () => {
  const line = (word: string) => `${"--quiet ".repeat(20)}${word}${" --model x".repeat(20)}\n`;
  expect(text([file("/etc/x")], [change("/etc/x", "content", line("--old"), line("--new"))])).toMatch(
    /content from line 1 on …\S* .*--old --model .*… → …\S* .*--new --model .*…$/,
  );
});

test("a line break at the end is told in words", () => {
  const told = (have: string, want: string) =>
    text([file("/etc/x")], [change("/etc/x", "content", have, want)]);
  expect(told("a", "a\n")).toContain("content line break at the end none → one");
  expect(told("a\n", "a")).toContain("content line break at the end one → none");
});

test("an item without a place of its own takes all changes of its resource", () => {
  const unit = { name: "unit a.service", path: [] };
  const changes: Change[] = [
    { path: ["running"], kind: "update", have: false, want: true },
    { path: ["dropIns", "10-a.conf"], kind: "add", want: "[Service]\nNice=5\n" },
    { path: ["environment", "A"], kind: "add", want: "1" },
    { path: ["restart"], kind: "finding", text: "started before gpu-hosts configured it" },
  ];
  expect(text([unit], changes)).toContain(
    'unit a.service: running false → true, restart: started before gpu-hosts configured it, new: dropIns["10-a.conf"], environment.A',
  );
});
