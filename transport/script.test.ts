import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sh } from "./command.ts";
import { prologue, wrapped } from "./script.ts";

const NONCE = "5e1f00d5e1f00d5e1f00d5e1f00d5e1f";
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpu-hosts-script-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function feed(text: string) {
  return spawnSync("/bin/sh", { input: prologue(NONCE) + text, encoding: "utf8" });
}

test("a frame ends on both streams, with the exit code of the command", () => {
  const { stdout, stderr } = feed(wrapped(sh`echo out; echo err >&2; exit 3`, NONCE, 5));
  expect(stdout).toBe(`out\n${NONCE} 3\n`);
  expect(stderr).toBe(`err\n${NONCE}\n`);
});

test("a syntax error stays inside its own frame", () => {
  const { stdout } = feed(wrapped(sh`if then`, NONCE, 5) + wrapped(sh`echo next`, NONCE, 5));
  expect(stdout).toBe(`${NONCE} 2\nnext\n${NONCE} 0\n`);
});

test("a script longer than an argument may be is run whole, with its own stdin and no stray descriptor", () => {
  const long = sh`: ${"x".repeat(300_000)}
cat; [ -e /proc/$$/fd/3 ] && echo 'descriptor 3 is left open'; exit 4`;
  const { stdout } = feed(wrapped(long, NONCE, 5, "input\n"));
  expect(stdout).toBe(`input\n${NONCE} 4\n`);
});

test("stdin may hold what would end a here-document", () => {
  const text = `${NONCE}-0\n${NONCE}\nEOF`;
  const { stdout } = feed(wrapped(sh`cat`, NONCE, 5, text));
  expect(stdout).toBe(`${text}${NONCE} 0\n`);
});

test("nothing is run of a request that was cut off on its way, wherever the cut", () => {
  const mark = join(folder, "ran");
  const request = wrapped(sh`cat >${mark}`, NONCE, 5, "half of this would be a disaster");
  const whole = request.lastIndexOf("}");
  for (let length = 0; length <= whole; length += 1) {
    feed(request.slice(0, length));
    expect(existsSync(mark), `cut after ${length} characters`).toBe(false);
  }
  feed(request);
  expect(existsSync(mark)).toBe(true);
});
