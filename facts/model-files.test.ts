import { expect, test } from "vitest";
import { stampedFiles } from "./model-files.ts";

const hash = "a".repeat(64);
const places = {
  folder: "/m/x/1",
  stamps: "/m/.verified/x/1",
  partials: "/m/.partial/x/1",
  units: "fetch-*",
};
const parse = (...lines: string[]) =>
  stampedFiles(places, []).parse({
    exitCode: 0,
    stdout: `${lines.join("\n")}\n`,
    stderr: "",
  });

test("a file is verified while size, mtime and inode are those of its stamp", () => {
  const { files } = parse(
    `file\tsame\t5 1795254055.123456789 77\t5 1795254055.123456789 77 ${hash}`,
    `file\ttouched\t5 1795254056.000000000 77\t5 1795254055.123456789 77 ${hash}`,
    "file\tunknown\t5 1795254055.123456789 77\t",
    `file\tgone\t\t5 1795254055.123456789 77 ${hash}\t`,
    "file\tcoming\t\t\t3",
  );
  expect(files.get("same")).toEqual({ size: 5, verified: { sha256: hash, since: "untouched" } });
  expect(files.get("touched")).toEqual({ size: 5, verified: { sha256: hash, since: "changed" } });
  expect(files.get("unknown")).toEqual({ size: 5, verified: undefined });
  expect(files.get("gone")).toEqual({ size: undefined, verified: undefined });
  expect(files.get("coming")).toEqual({ size: undefined, verified: undefined, unfinished: 3 });
});

test("times that were put back do not hide a change; a stamp without ctime says nothing of it", () => {
  const { files } = parse(
    `file\tback\t5 1795254055.1 77 1795254059.2\t5 1795254055.1 77 1795254056.1 ${hash}\t\t`,
    `file\tolder\t5 1795254055.1 77 1795254059.2\t5 1795254055.1 77 ${hash}\t\t`,
    `file\thashed\t5 1795254055.1 77 1795254059.2\t5 1795254055.1 77 1795254056.1 ${hash}\t\t${"b".repeat(64)}`,
  );
  expect(files.get("back")?.verified).toEqual({ sha256: hash, since: "touched" });
  expect(files.get("older")?.verified).toEqual({ sha256: hash, since: "untouched" });
  expect(files.get("hashed")?.verified).toEqual({ sha256: "b".repeat(64), since: "untouched" });
});

test("generations come with their size on disk", () => {
  expect([...parse("generation\tabc\t4096", "generation\tdef\t8192").generations]).toEqual([
    ["abc", 4096],
    ["def", 8192],
  ]);
});
