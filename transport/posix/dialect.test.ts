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

test("the host's own environment changes no command, and says only the way out of its network", () => {
  const hostile = {
    POSIXLY_CORRECT: "1",
    TAR_OPTIONS: "--bogus",
    GREP_OPTIONS: "-v",
    BLOCK_SIZE: "human-readable",
    CDPATH: "/usr",
    IFS: "o",
    LANG: "de_DE.UTF-8",
    TIME_STYLE: "full-iso",
    LD_LIBRARY_PATH: "/nowhere",
    BASH_ENV: "/nowhere",
    TWO: "lines\nHOME=/nowhere",
    PATH: "/nowhere",
  };
  const proxies = { https_proxy: "http://me:secret@proxy:3128", NO_PROXY: "10.0.0.0/8" };
  const input = first + request({ command: sh`env; echo one; ls /proc/self/cmdline -d`, timeoutSeconds: 5 });
  for (const shell of ["/bin/sh", "/bin/bash"]) {
    const args = shell.endsWith("bash") ? ["--posix"] : [];
    const { stdout, stderr } = spawnSync(shell, args, {
      input,
      encoding: "utf8",
      env: { ...hostile, ...proxies },
    });
    const [frame = ""] = stdout.split(testNonce);
    const [variables = "", said] = frame.split("one\n");
    expect(
      variables
        .split("\n")
        .filter((line) => !/^(PWD|OLDPWD|_|SHLVL|$)(=|$)/.test(line))
        .sort(),
      shell,
    ).toEqual([
      "HOME=/root",
      "LC_ALL=C",
      "NO_PROXY=10.0.0.0/8",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "https_proxy=http://me:secret@proxy:3128",
    ]);
    expect(said, shell).toBe("/proc/self/cmdline\n");
    expect(stderr, shell).toBe(`${testNonce}\n`);
  }
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
