import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sh } from "../command.ts";
import { posixShell } from "./dialect.ts";
import { loginCommand } from "./login-command.ts";

const testNonce = "5e1f00d5e1f00d5e1f00d5e1f00d5e1f";
const { first, request } = posixShell.converse(testNonce);
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpu-hosts-login-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

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
    const input = first + request({ command: sh`cat >&2; exit 3`, timeoutSeconds: 20, stdin: bytes });
    const command = loginCommand(testNonce, user, { prompt: undefined, terminal });
    const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, SHELL: shell };
    const result = spawnSync("setsid", ["-w", shell, "-c", command], { input, env, maxBuffer: 1e7 });
    expect(result.stdout.toString()).toBe(`${testNonce}\n${testNonce} 3\n`);
    const greeting = Buffer.from(`${terminal ? "a terminal\n" : ""}${testNonce}\n`);
    expect(result.stderr.subarray(0, greeting.length).toString()).toBe(greeting.toString());
    expect(
      result.stderr.subarray(greeting.length).equals(Buffer.concat([bytes, Buffer.from(`${testNonce}\n`)])),
    ).toBe(true);
  });
});
