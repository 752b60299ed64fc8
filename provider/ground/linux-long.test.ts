import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { longUnits } from "#provider/contract/linux-steps.ts";
import { type LongStep, long } from "#provider/contract/step.ts";
import { keyOf, ps, script, sh, shellScript } from "#transport/command.ts";
import { longUnitWork } from "./linux-long.ts";

const step = (more: Partial<LongStep> = {}) =>
  long({ name: "fetch", key: { a: 1 }, script: sh`echo it's ${"a word"}`, timeoutSeconds: 60, ...more });

test("same key and script, same unit; another key or script, another unit of that name", () => {
  const { name, log } = longUnitWork(step());
  expect(name).toMatch(/^gpu-hosts-fetch-[0-9a-f]{12}\.service$/);
  expect(log).toBe(`/var/lib/gpu-hosts/long/${name.replace(".service", "")}/log`);
  expect(longUnitWork(step({ timeoutSeconds: 5, stdin: "x" })).name).toBe(name);
  expect(longUnitWork(step({ key: { a: 2 } })).name).not.toBe(name);
  expect(longUnitWork(step({ script: sh`echo other` })).name).not.toBe(name);
});

test("a script of another system is refused by name", () => {
  const fetch = ps({ name: "install-msi", text: "" });
  expect(() => longUnitWork(step({ script: fetch }))).toThrow("fetch: install-msi is a PowerShell script");
});

test.each([
  ["running 0\n", { state: "running", size: 0, more: "" }],
  ["running 7\nline\nli", { state: "running", size: 7, more: "line\nli" }],
  ["success exited 0 5\ndone\n", { state: "done", size: 5, more: "done\n" }],
  ["exit-code exited 3 0\n", { state: "failed", end: "failed with exit code 3" }],
  ["timeout killed TERM 0\n", { state: "failed", end: "ran longer than its limit of 60 s and was stopped" }],
  [
    "oom-kill killed KILL 0\n",
    { state: "failed", end: "was stopped by the kernel: the machine ran out of memory" },
  ],
  [
    "signal killed TERM 0\n",
    { state: "failed", end: expect.stringMatching(/^was stopped by signal TERM: /) },
  ],
  ["gone 0\n", { state: "failed", end: expect.stringMatching(/^is gone without a result: /) }],
  ["", { state: "failed", end: expect.stringMatching(/^is gone without a result: /) }],
])("%j of a look is understood", (stdout, seen) => {
  const { parse } = longUnitWork(step()).look(0);
  expect(parse({ exitCode: 0, stdout, stderr: "" })).toMatchObject(seen);
});

// The start script with folders of the test's, and stand-ins for systemd's programs that note how they were
// called.
let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "long-"));
  mkdirSync(join(top, "bin"));
});
afterEach(() => {
  rmSync(top, { recursive: true });
});

const unit = "gpu-hosts-fetch-0123456789ab";
const text = `cat > out\nprintf '%s\\n' "it's" '$HOME' "$HOME"\n`;

/** Runs it; `systemctl` and `systemdRun` are the shell text of the stand-ins. */
function start(systemctl: string, systemdRun = "exit 0") {
  const program = (name: string, body: string) =>
    writeFileSync(join(top, "bin", name), `#!/bin/sh\necho "${name} $*" >> ${top}/calls\n${body}\n`, {
      mode: 0o755,
    });
  program("systemctl", systemctl);
  program("systemd-run", systemdRun);
  const words = [unit, longUnits("fetch"), join(top, "long"), join(top, "run"), 60, 5, text];
  const command = shellScript(script(import.meta.url, "./start-long.sh"), words);
  const { status, stderr } = spawnSync("sh", ["-c", keyOf(command)], {
    encoding: "utf8",
    input: "hunter2\n",
    env: { PATH: `${top}/bin:${process.env.PATH}` },
  });
  const calls = existsSync(join(top, "calls")) ? readFileSync(join(top, "calls"), "utf8") : "";
  return { status, stderr, calls };
}

test("work that runs is attached to: nothing is written or started", () => {
  const { status, calls } = start("echo active");
  expect(status).toBe(0);
  expect(calls).toBe(`systemctl show --value --property=ActiveState ${unit}.service\n`);
  expect(readdirSync(top).sort()).toEqual(["bin", "calls"]);
});

const idle = 'case $1 in show) echo inactive ;; list-units) [ ! -e "$0.other" ] || cat "$0.other" ;; esac';

test("work is started with its text byte for byte and its stdin out of sight", () => {
  const { status, stderr, calls } = start(idle);
  expect([status, stderr]).toEqual([0, ""]);
  expect(readFileSync(join(top, "long", unit, "script"), "utf8")).toBe(`${text}\n`);
  expect(calls).toContain(
    `--unit=${unit} --working-directory=${top}/long/${unit} --property=RuntimeMaxSec=60`,
  );
  expect(calls).not.toContain("hunter2");
  // As systemd would run it.
  const work = { cwd: join(top, "long", unit), encoding: "utf8" } as const;
  expect(spawnSync("sh", ["./main", join(top, "run", unit)], work).status).toBe(0);
  expect(readFileSync(join(work.cwd, "out"), "utf8")).toBe("hunter2\n");
  expect(readFileSync(join(work.cwd, "log"), "utf8")).toBe("it's\n$HOME\n/root\n");
  expect(readdirSync(join(top, "run"))).toEqual([]);
  const env = { ...process.env, SERVICE_RESULT: "exit-code", EXIT_CODE: "exited", EXIT_STATUS: "3" };
  spawnSync("sh", ["./end", join(top, "run", unit)], { ...work, env });
  expect(readFileSync(join(work.cwd, "result"), "utf8")).toBe("exit-code exited 3\n");
});

test("other work of its name is stopped and its folder goes; work of another name stays", () => {
  const old = "gpu-hosts-fetch-ffffffffffff";
  const foreign = "gpu-hosts-fetch-more-ffffffffffff";
  for (const name of [old, foreign]) mkdirSync(join(top, "long", name), { recursive: true });
  writeFileSync(join(top, "bin", "systemctl.other"), `${old}.service loaded active running it\n`);
  const { calls } = start(idle);
  expect(calls).toContain(`systemctl stop ${old}.service\n`);
  expect(readdirSync(join(top, "long")).sort()).toEqual([unit, foreign].sort());
});

test("a start that fails leaves no secret", () => {
  const { status, stderr } = start(idle, "echo no systemd today >&2; exit 1");
  expect([status, stderr]).toEqual([1, "no systemd today\n"]);
  expect(readdirSync(join(top, "run"))).toEqual([]);
});
