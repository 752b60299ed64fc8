import type { Verdict } from "#facts/probes/probe.ts";
import { type Command, shownCommand } from "#transport/command.ts";
import type { Fact, FileAttributes } from "#transport/host.ts";

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
  /**
   * Nothing else may run on the machine meanwhile, as where this restarts the system that other steps are in;
   * then `turn` says nothing.
   */
  readonly alone?: true;
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
 * Polls until what is waited for is there. Progress that changes starts the deadline again; what will not
 * come by waiting fails at once.
 */
export type WaitStep = WaitOptions & (WaitByCommand | WaitByQuestion);

/**
 * The command judges: exit 0 is there, 75 (EX_TEMPFAIL) not yet, with progress in the last line of stdout;
 * any other code fails.
 */
interface WaitByCommand {
  readonly command: Command;
}

/** TypeScript judges what the host answers; the verdict's text is progress. */
interface WaitByQuestion {
  readonly ask: Fact<Verdict>;
}

interface WaitOptions {
  readonly kind: "wait";
  /** What is waited for, in the operator's words: "chat to answer a completion". */
  readonly what: string;
  readonly deadlineSeconds: number;
  /** @default 2 */
  readonly intervalSeconds?: number;
  readonly explain?: Command;
  /** As {@link RunStep.hint}. */
  readonly hint?: string;
}

/**
 * A script that outlives the connection: on Linux it runs under a transient unit, named after `name` and a
 * hash of `key` and script. The same hash attaches to one already running; another hash stops the old one
 * first. Ctrl-C detaches.
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
  readonly script: Command;
  /**
   * Handed to the script in a 0600 file as its stdin, which is gone as soon as it was opened; never shown.
   */
  readonly stdin?: string;
  readonly timeoutSeconds: number;
}

/** Reboots the machine and waits for its return. */
interface RebootStep {
  readonly kind: "reboot";
  readonly why: string;
}

/**
 * Proves that a *new* SSH connection gets through, before what follows (disarming a firewall's revert timer,
 * say).
 */
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

export const wait = (step: Omit<WaitOptions, "kind"> & (WaitByCommand | WaitByQuestion)): WaitStep => ({
  kind: "wait",
  ...step,
});

export const long = (step: Omit<LongStep, "kind">): LongStep => ({ kind: "long", ...step });

export const reboot = (why: string): RebootStep => ({ kind: "reboot", why });

export const reconnect = (why: string): ReconnectStep => ({ kind: "reconnect", why });

export const again = (why: string): AgainStep => ({ kind: "again", why });

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
