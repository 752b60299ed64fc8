import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { shownCommand } from "../command.ts";
import { writeFile } from "./files.ts";

let root = "";
const path = (name: string) => join(root, name);
const { uid, gid } = userInfo();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gpu-hosts-files-"));
  for (const folder of ["bin", "theirs"]) mkdirSync(path(folder));
  writeFileSync(path("victim"), "root's own\n", { mode: 0o600 });
});
afterEach(() => rmSync(root, { recursive: true }));

/**
 * Writes into a folder whose owner acts at the moment when a program of ours is started, before (or after) it
 * does its work.
 */
function writeBeside(program: "mktemp" | "cat" | "none", act: string) {
  const own = `/usr/bin/${program}`;
  const fake = {
    mktemp: `new=$(${own} "$@"); ${act}; echo "$new"`,
    cat: `new=$(echo ${path("theirs")}/.gpu-hosts-*); ${act}; exec ${own}`,
    none: "",
  }[program];
  writeFileSync(path(`bin/${program}`), `#!/bin/sh\n${fake}\n`);
  chmodSync(path(`bin/${program}`), 0o755);
  const command = writeFile(path("theirs/file"), { mode: "0666", owner: `${uid}:${gid}` });
  const env = { PATH: `${path("bin")}:/usr/bin:/bin` };
  return spawnSync("/bin/sh", ["-c", shownCommand(command)], { input: "ours\n", env, encoding: "utf8" });
}

const victim = () => [readFileSync(path("victim"), "utf8"), statSync(path("victim")).mode & 0o777];
const untouched = ["root's own\n", 0o600];

test("a file is written with its mode", () => {
  expect(writeBeside("none", "")).toMatchObject({ status: 0, stderr: "" });
  expect(readFileSync(path("theirs/file"), "utf8")).toBe("ours\n");
  expect(statSync(path("theirs/file")).mode & 0o777).toBe(0o666);
});

test.each([
  ["a symbolic link", "ln -sf"],
  ["a hard link", "ln -f"],
])("%s put under the temporary name leads to no other file", (_, link) => {
  const { status, stderr } = writeBeside("mktemp", `${link} ${path("victim")} "$new"`);
  expect(status).not.toBe(0);
  expect(stderr).toContain("somebody put another file in place of");
  expect(victim()).toEqual(untouched);
});

test("one put there while the content is written gets neither owner nor mode", () => {
  writeBeside("cat", `ln -sf ${path("victim")} "$new"`);
  expect(victim()).toEqual(untouched);
});
