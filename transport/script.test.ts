import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sh } from "./command.ts";
import { loginCommand, prologue, wrapped } from "./script.ts";

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

describe.each(["/bin/sh", "/usr/bin/fish", "/bin/tcsh"])("with %s as login shell", (shell) => {
  test.skipIf(!existsSync(shell)).each([
    ["root", false],
    ["ops", false],
    ["ops", true],
  ])("%s gets a shell (a terminal for sudo: %s), bytes pass unchanged on three streams", (user, terminal) => {
    // Stands for sudo, and tells whether it has a terminal, as sudo would ask.
    writeFileSync(
      join(folder, "sudo"),
      '#!/bin/sh\n[ "$LC_ALL" = C ] || echo "no English"\n[ "$1" = -n ] && shift\nif (: >/dev/tty) 2>/dev/null; then echo "a terminal" >&2; fi\nexec "$@"\n',
    );
    chmodSync(join(folder, "sudo"), 0o755);
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256));
    const input = prologue(NONCE) + wrapped(sh`cat >&2; exit 3`, NONCE, 20, bytes);
    const command = loginCommand(NONCE, user, { prompt: undefined, terminal });
    const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, SHELL: shell };
    const result = spawnSync("setsid", ["-w", shell, "-c", command], { input, env, maxBuffer: 1e7 });
    expect(result.stdout.toString()).toBe(`${NONCE}\n${NONCE} 3\n`);
    const greeting = Buffer.from(`${terminal ? "a terminal\n" : ""}${NONCE}\n`);
    expect(result.stderr.subarray(0, greeting.length).toString()).toBe(greeting.toString());
    expect(
      result.stderr.subarray(greeting.length).equals(Buffer.concat([bytes, Buffer.from(`${NONCE}\n`)])),
    ).toBe(true);
  });
});
