import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stateLocks } from "./file-backend.ts";
import { type Project, pulumi } from "./pulumi.ts";
import { isDead, recover, withoutPending } from "./recovery.ts";

const patiently = { timeout: 30_000 };

let folder: string;
let project: Project;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "recovery-"));
  mkdirSync(join(folder, "state"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: gpu-hosts\nruntime: nodejs\n");
  project = {
    folder,
    env: { PULUMI_BACKEND_URL: `file://${folder}/state`, PULUMI_CONFIG_PASSPHRASE: "recovery" },
  };
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

// A number beyond the largest a Linux kernel gives.
const deadPid = 2 ** 22 + 1;
const locks = () => join(folder, "state", ".pulumi", "locks", "organization", "gpu-hosts", "lab");

/** As CLI 3.250.0 writes it. */
function writeLock(pid: number, where = hostname()): void {
  mkdirSync(locks(), { recursive: true });
  const text = { pid, username: "root", hostname: where, timestamp: "2026-11-21T09:22:11.942761774Z" };
  writeFileSync(join(locks(), `${pid}.json`), JSON.stringify(text));
  writeFileSync(join(locks(), `${pid}.json.attrs`), "{}");
}

const pending = (type: string, name: string) => ({
  type: "creating",
  resource: { urn: `urn:pulumi:lab::gpu-hosts::${type}::${name}`, custom: true, type },
});

/** The CLI's import forgets unfinished operations, so this one goes straight into the file. */
function leavePending(): void {
  const file = join(folder, "state", ".pulumi", "stacks", "gpu-hosts", "lab.json");
  const stored = JSON.parse(readFileSync(file, "utf8"));
  const latest = stored.checkpoint.latest ?? {};
  stored.checkpoint.latest = { ...latest, pending_operations: [pending("gpuhost:index:Files", "ours")] };
  writeFileSync(file, JSON.stringify(stored));
}

test("the lock of a dead process and unfinished operations of ours are cleared, secrets and the rest kept", async () => {
  await pulumi(project, ["stack", "init", "lab", "--no-select"]);
  const empty = JSON.parse(await pulumi(project, ["stack", "export", "--stack", "lab"]));
  const stack = {
    urn: "urn:pulumi:lab::gpu-hosts::pulumi:pulumi:Stack::gpu-hosts-lab",
    custom: false,
    type: "pulumi:pulumi:Stack",
    outputs: {
      key: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", plaintext: '"sk-kept"' },
    },
  };
  const deployment = { ...empty.deployment, resources: [stack] };
  await pulumi(project, ["stack", "import", "--stack", "lab"], JSON.stringify({ ...empty, deployment }));
  leavePending();
  writeLock(deadPid);
  const told: string[] = [];

  await recover(project, "lab", (line) => told.push(line));

  expect(told).toEqual([
    `an earlier run (pid ${deadPid}) was killed and left the stack locked: unlocking it`,
    "an earlier run was killed at: creating ours; this run finishes it",
  ]);
  expect(stateLocks(`file://${folder}/state`, project, "lab")).toEqual([]);
  const plain = await pulumi(project, ["stack", "export", "--stack", "lab"]);
  expect(plain).not.toContain("sk-kept");
  const after = JSON.parse(await pulumi(project, ["stack", "export", "--show-secrets", "--stack", "lab"]));
  expect(after.deployment.resources[0].outputs.key.plaintext).toBe('"sk-kept"');
  expect(after.deployment.pending_operations ?? []).toEqual([]);

  told.length = 0;
  await recover(project, "lab", (line) => told.push(line));
  expect(told).toEqual([]);
});

test("a lock of another machine stays, and so do the operations of its run", async () => {
  await pulumi(project, ["stack", "init", "lab", "--no-select"]);
  leavePending();
  writeLock(deadPid, "another-machine");
  const told: string[] = [];
  await recover(project, "lab", (line) => told.push(line));
  expect(told).toEqual([]);
  expect(readdirSync(locks())).toContain(`${deadPid}.json`);
});

test("a process lives if it is a pulumi of this machine, whatever other program has its number", () => {
  const lock = { hostname: hostname() };
  expect(isDead({ ...lock, pid: deadPid })).toBe(true);
  expect(isDead({ hostname: "another-machine", pid: deadPid })).toBe(false);
  if (process.platform !== "linux") return;
  expect(isDead({ ...lock, pid: process.pid })).toBe(true);
  const program = join(folder, "pulumi");
  copyFileSync("/bin/sleep", program);
  child = spawn(program, ["60"], { stdio: "ignore" });
  expect(isDead({ ...lock, pid: child.pid ?? 0 })).toBe(false);
});

test("a killed process that nobody took note of is dead", async () => {
  if (process.platform !== "linux") return;
  const program = join(folder, "pulumi");
  copyFileSync("/bin/sleep", program);
  // The parent becomes a program that never asks after its children.
  child = spawn("sh", ["-c", `"${program}" 60 & echo $!; exec sleep 60`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [text] = await once(child.stdout as Readable, "data");
  const pid = Number(text);
  await expect.poll(() => readFileSync(`/proc/${pid}/comm`, "utf8"), patiently).toBe("pulumi\n");
  expect(isDead({ hostname: hostname(), pid })).toBe(false);
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isDead({ hostname: hostname(), pid }), patiently).toBe(true);
  expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
});

test("unfinished operations of another provider are left to Pulumi", () => {
  const state = (...operations: object[]) => ({
    version: 3,
    deployment: { resources: [], pending_operations: operations },
  });
  const ours = pending("gpuhost:index:Files", "ours");
  expect(withoutPending(state())).toEqual({ pending: [] });
  expect(withoutPending(state(ours))).toEqual({ pending: ["creating ours"], cleared: state() });
  expect(withoutPending(state(ours, pending("other:index:Thing", "theirs"))).cleared).toBeUndefined();
});
