import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fileSystems } from "./file-systems.ts";

const parse = (stdout: string) => fileSystems([]).parse({ exitCode: 0, stdout, stderr: "" });
const fixture = readFileSync(new URL("fixtures/file-systems.debian12.txt", import.meta.url), "utf8");

test("each file system once, with what is left of it", () => {
  const seen = parse(fixture);
  expect(seen.map(({ target, readOnly }) => `${target}${readOnly ? " read-only" : ""}`)).toEqual([
    "/",
    "/srv/two words",
    "/opt read-only",
    "/srv/few",
  ]);
  expect(seen[1]).toMatchObject({ source: "tmpfs", type: "tmpfs", size: 65_536, free: 0 });
  expect(seen[3]).toMatchObject({ free: 1_048_576, freeInodes: 0 });
});

test("a file system that counts no inodes has no number of them", () => {
  expect(parse("/boot/efi /dev/sda1 vfat rw 4096 130812 129000 0 0\n")[0]?.freeInodes).toBeUndefined();
});

test("what is no file system is not understood", () => {
  expect(() => parse("findmnt: not found\n")).toThrow("not the line of a file system");
});

test("a mount point with other letters than English", () => {
  const recorded = readFileSync(
    new URL("fixtures/file-systems-letters.debian12.txt", import.meta.url),
    "utf8",
  );
  expect(parse(recorded)[0]?.target).toBe("/srv/Modèle 日");
  // The form of /proc/mounts.
  const octal = recorded.replaceAll(
    /\\x([0-9a-f]{2})/g,
    (_, hex) => `\\${Number.parseInt(hex, 16).toString(8).padStart(3, "0")}`,
  );
  expect(parse(octal)[0]?.target).toBe("/srv/Modèle 日");
});
