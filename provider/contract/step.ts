import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import { type Command, type ShellCommand, sh, shownCommand } from "#transport/command.ts";
import type { FileAttributes } from "#transport/host.ts";

/** One change to a host, as data. Resources describe steps; only `perform` does them. */
export type Step =
  | RunStep
  | WriteStep
  | DeleteStep
  | WaitStep
  | LongStep
  | RebootStep
  | ReconnectStep
  | AgainStep;

/** Runs a command that changes the host; an exit code other than 0 fails the resource. */
export interface RunStep {
  readonly kind: "run";
  readonly command: Command;
  /** What it does, in the operator's words, where the command itself would not tell. @default the command */
  readonly title?: string;
  /** Bytes for stdin; never shown. */
  readonly stdin?: string;
  /** @default 120 */
  readonly timeoutSeconds?: number;
  /** Steps of one machine that name the same turn go one at a time, such as `apt`. */
  readonly turn?: string;
  /** Run after a failure; its output is added to the error (a journal, say). */
  readonly explain?: Command;
  /** What the operator does next when it failed; the last line of the error. @default to run `up` again */
  readonly hint?: string;
}

/** Puts a file in place atomically. */
export type WriteStep = FileAttributes & {
  readonly kind: "write";
  readonly path: string;
  readonly content: string;
};

/** Removes a file or an empty directory; absence is fine, a directory with foreign content stays. */
export interface DeleteStep {
  readonly kind: "delete";
  readonly path: string;
}

/**
 * Polls until `command` exits 0. Exit 75 (EX_TEMPFAIL) means not yet, its last line of stdout is progress; any other code
 * fails at once. Progress that changes starts the deadline again.
 */
export interface WaitStep {
  readonly kind: "wait";
  /** What is waited for, in the operator's words: "chat to answer a completion". */
  readonly what: string;
  readonly command: Command;
  readonly deadlineSeconds: number;
  /** @default 2 */
  readonly intervalSeconds?: number;
  readonly explain?: Command;
  /** As {@link RunStep.hint}. */
  readonly hint?: string;
}

/**
 * A script that outlives the connection: runs under a transient unit named after `name` and a hash of `key`. The same
 * hash attaches to one already running; another hash stops the old one first. Ctrl-C detaches.
 */
export interface LongStep {
  readonly kind: "long";
  /** Stable name of the work on this host, such as `model-qwen`; characters of a unit name. */
  readonly name: string;
  /** What it does, in the operator's words. @default its name */
  readonly title?: string;
  /** Everything the result depends on; hashed. */
  readonly key: unknown;
  /** Runs in an empty folder of its own, which takes its temporary files. */
  readonly script: ShellCommand;
  /** Handed to the script in a 0600 file as its stdin, which is gone as soon as it was opened; never shown. */
  readonly stdin?: string;
  readonly timeoutSeconds: number;
}

/** Reboots the machine and waits for its return. */
interface RebootStep {
  readonly kind: "reboot";
  readonly why: string;
}

/** Proves that a *new* SSH connection gets through, before what follows (disarming a firewall's revert timer, say). */
interface ReconnectStep {
  readonly kind: "reconnect";
  readonly why: string;
}

/** Observe, then call `apply` anew: the following steps depend on what the earlier ones brought about. */
interface AgainStep {
  readonly kind: "again";
  readonly why: string;
}

export const run = (command: Command, options: Omit<RunStep, "kind" | "command"> = {}): RunStep => ({
  kind: "run",
  command,
  ...options,
});

export const write = (path: string, content: string, attributes: FileAttributes): WriteStep => ({
  kind: "write",
  path,
  content,
  ...attributes,
});

export const remove = (path: string): DeleteStep => ({ kind: "delete", path });

export const wait = (step: Omit<WaitStep, "kind">): WaitStep => ({ kind: "wait", ...step });

export const long = (step: Omit<LongStep, "kind">): LongStep => ({ kind: "long", ...step });

/** Shell pattern for the units of all long steps of that name, whatever their inputs: the hash is 12 digits. */
export const longUnits = (name: string): string => `gpu-hosts-${name}-${"[0-9a-f]".repeat(12)}`;

/** Stops the work of long steps of that name, as of a download whose resource goes. */
export const stopLong = (name: string): RunStep =>
  run(sh`systemctl stop ${`${longUnits(name)}.service`}`, { title: `stop ${name}, if it still runs` });

export const reboot = (why: string): RebootStep => ({ kind: "reboot", why });

export const reconnect = (why: string): ReconnectStep => ({ kind: "reconnect", why });

export const again = (why: string): AgainStep => ({ kind: "again", why });

const copyOf = (path: string) =>
  `/var/lib/gpu-hosts/owners/files/${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;

/** Keeps a file of somebody else's aside, with mode, owner and times, before it is replaced. The first copy stays. */
export function keepAside(path: string): RunStep {
  const copy = copyOf(path);
  return run(
    sh`umask 077; [ -e ${copy} ] || [ ! -f ${path} ] || {
  mkdir -p ${dirname(copy)} && cp -a -- ${path} ${`${copy}.new`} && mv -- ${`${copy}.new`} ${copy}; }`,
    { title: `keep ${path} as it was` },
  );
}

/** Puts back what {@link keepAside} kept; without a copy it does nothing. */
export function putBack(path: string): RunStep {
  const copy = copyOf(path);
  return run(
    sh`[ ! -e ${copy} ] || { cp -a -- ${copy} ${`${path}.gpu-hosts-new`} && mv -T -- ${`${path}.gpu-hosts-new`} ${path} && rm -f -- ${copy}; }`,
    { title: `put ${path} back as it was` },
  );
}

/** One line for plans, progress and errors. Holds no stdin and no file content. */
export function shown(step: Step): string {
  switch (step.kind) {
    case "run":
      return step.title ?? shownCommand(step.command);
    case "write":
      return `write ${step.path} (${"mode" in step ? `${step.mode} ${step.owner}` : step.access}, ${Buffer.byteLength(step.content)} bytes)`;
    case "delete":
      return `delete ${step.path}`;
    case "wait":
      return `wait for ${step.what} (${step.deadlineSeconds} s)`;
    case "long":
      return `${step.title ?? `run ${step.name}`} in the background`;
    case "reboot":
      return `reboot (${step.why})`;
    case "reconnect":
      return `connect anew (${step.why})`;
    case "again":
      return `look again (${step.why})`;
  }
}
