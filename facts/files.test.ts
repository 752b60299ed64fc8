import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { contents, entries } from "./files.ts";

const recorded = readFileSync(new URL("fixtures/files.debian12.txt", import.meta.url), "utf8");
const read = (stdout: string) => entries([]).parse({ exitCode: 0, stdout, stderr: "" });

test("a group with a blank in its name, a path with one, and what has no content of its own", () => {
  const found = read(recorded);
  expect(found.get("/srv/f/two words")).toMatchObject({ type: "file", owner: "root:domain users", size: 6 });
  expect(found.get("/srv/f/two words")?.sha256).toMatch(/^5891b5b5/);
  expect(found.get("/srv/f/link")).toMatchObject({
    type: "symlink",
    owner: "root:domain users",
    target: "two words",
  });
  expect(found.get("/srv/f/dir")).toEqual({
    type: "directory",
    mode: "0755",
    owner: "root:root",
    size: 4096,
  });
  expect(found.get("/srv/f/b")?.mode).toBe("4755");
  expect(found.size).toBe(4);
});

test("nothing at any of the paths is an answer, an answer without all of its parts is none", () => {
  expect(read("\0\0\0\0").size).toBe(0);
  expect(() => read(recorded.slice(0, recorded.lastIndexOf("\0\0")))).toThrow("not whole");
  expect(() => read(`noise\n${recorded}`)).toThrow("not the line of a file: noise");
});

test("contents are told for as many files as were asked", () => {
  const parse = (stdout: string) => contents(["/a", "/b"]).parse({ exitCode: 0, stdout, stderr: "" });
  expect(parse("aGVsbG8=\n\n").get("/a")?.toString()).toBe("hello");
  expect(() => parse("aGVsbG8=\n")).toThrow("1 lines for 2 files");
});
