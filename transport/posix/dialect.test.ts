import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sh } from "../command.ts";
import { posixShell } from "./dialect.ts";

const testNonce = "5e1f00d5e1f00d5e1f00d5e1f00d5e1f";
const { first, request } = posixShell.converse(testNonce);
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpu-hosts-script-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function feed(text: string) {
  return spawnSync("/bin/sh", { input: first + text, encoding: "utf8" });
}

test("a frame ends on both streams, with the exit code of the command", () => {
  const { stdout, stderr } = feed(
    request({ command: sh`echo out; echo err >&2; exit 3`, timeoutSeconds: 5 }),
  );
  expect(stdout).toBe(`out\n${testNonce} 3\n`);
  expect(stderr).toBe(`err\n${testNonce}\n`);
});

test("a syntax error stays inside its own frame", () => {
  const { stdout } = feed(
    request({ command: sh`if then`, timeoutSeconds: 5 }) +
      request({ command: sh`echo next`, timeoutSeconds: 5 }),
  );
  expect(stdout).toBe(`${testNonce} 2\nnext\n${testNonce} 0\n`);
});

test("a script longer than an argument may be is run whole, with its own stdin and no stray descriptor", () => {
  const long = sh`: ${"x".repeat(300_000)}
cat; [ -e /proc/$$/fd/3 ] && echo 'descriptor 3 is left open'; exit 4`;
  const { stdout } = feed(request({ command: long, timeoutSeconds: 5, stdin: "input\n" }));
  expect(stdout).toBe(`input\n${testNonce} 4\n`);
});

test("stdin may hold what would end a here-document", () => {
  const text = `${testNonce}-0\n${testNonce}\nEOF`;
  const { stdout } = feed(request({ command: sh`cat`, timeoutSeconds: 5, stdin: text }));
  expect(stdout).toBe(`${text}${testNonce} 0\n`);
});

test("nothing is run of a request that was cut off on its way, wherever the cut", () => {
  const mark = join(folder, "ran");
  const cut = request({
    command: sh`cat >${mark}`,
    timeoutSeconds: 5,
    stdin: "half of this would be a disaster",
  });
  const whole = cut.lastIndexOf("}");
  for (let length = 0; length <= whole; length += 1) {
    feed(cut.slice(0, length));
    expect(existsSync(mark), `cut after ${length} characters`).toBe(false);
  }
  feed(cut);
  expect(existsSync(mark)).toBe(true);
});
