import type { Command } from "./command.ts";

/** What came back from a command that ran to its end, whatever its exit code. */
export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Bytes for the command's stdin; the only way a secret may travel. Default: empty. */
  readonly stdin?: string | Uint8Array;
  /** Seconds until the command is ended on the host and the run rejects. @default 60 */
  readonly timeoutSeconds?: number;
  /** Called with each line of output (stdout and stderr) as it arrives, for progress. */
  readonly onLine?: (line: string) => void;
}

/** A read-only question to a host: one command and a pure parser of its answer. */
export interface Fact<T> {
  /** Short name for error texts, such as `systemctl show`. */
  readonly name: string;
  readonly command: Command;
  /** Seconds the command may take on the host; a hung command fails alone. @default 20 */
  readonly timeoutSeconds?: number;
  /** Pure. Throws if the output cannot be understood; the error then shows that output. */
  parse(finished: Finished): T;
}

/** Who may do what with a file, in the terms of the host's system; a host refuses those of another. */
export type FileAttributes =
  | {
      /** Four octal digits, such as `0644`. */
      readonly mode: string;
      /** Owner and group names, such as `root:root`. */
      readonly owner: string;
    }
  /** Windows: changed by administrators alone, and read by them alone or by everybody. */
  | { readonly access: "administrators" | "readable" };

/**
 * An operating system that a host runs; a Windows PC and a Linux distribution in it are two hosts of one
 * name.
 */
export type System = "linux" | "windows";

/**
 * The only view of a machine that a fact, a resource or a check ever gets. On Linux commands run as root
 * under `sh`.
 */
export interface Host {
  /** Name in the inventory. */
  readonly name: string;
  /** What it runs, which decides the kind of command it takes. */
  readonly system: System;
  /** How an operator would reach it, such as `ops@10.0.0.11`; for error texts. */
  readonly target: string;
  /**
   * Runs a command; resolves for any exit code, rejects with a HostError when the connection or the time
   * limit fails it.
   */
  run(command: Command, options?: RunOptions): Promise<Finished>;
  /** Asks a fact. Facts asked at the same moment travel as one script in one round trip. */
  ask<T>(fact: Fact<T>): Promise<T>;
  /** Whole content of a regular file, `undefined` if there is none. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Puts a file in place atomically with its attributes; the parent folder must exist. */
  writeFile(path: string, content: string | Uint8Array, attributes: FileAttributes): Promise<void>;
}

/** Order among the steps of one physical machine (a PC and its distros share one gate). */
export interface Gate {
  /** Runs beside other steps; those that name the same `turn` (such as `apt`) go one at a time. */
  step<T>(turn: string | undefined, work: () => Promise<T>): Promise<T>;
  /**
   * Runs pieces of work of the same name one at a time. No step itself: the steps in it pass the gate, a
   * reboot may come between.
   */
  inTurn<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Waits for every running step and holds new ones: reboot, `wsl --shutdown`. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** A host that may be changed; only `perform` gets it. */
export interface Machine extends Host {
  readonly gate: Gate;
  /**
   * Calls `onWait` with a line every few seconds while the connection is silent or made anew, until the
   * function that it returns is called. A command that merely says nothing is no silence.
   */
  watch(onWait: (line: string) => void): () => void;
  /**
   * Takes the machine-wide lock against a second gpu-hosts process (flock on the host, held while the
   * connection lives). Idempotent. Rejects, naming the present holder, after waiting `waitSeconds`. @param
   * holder who we are, for the other side
   */
  lock(holder: string, waitSeconds?: number): Promise<void>;
  /** Drops the connection and opens a new one; rejects if none gets through within `timeoutSeconds`. */
  reconnect(timeoutSeconds: number): Promise<void>;
  /** Reboots and waits until SSH answers with another boot identity (boot id, or start time of PID 1). */
  reboot(timeoutSeconds: number): Promise<void>;
}

/** What the transport can say of a host before anything is asked of it. */
export type Reach =
  | { readonly state: "reachable"; readonly host: Machine }
  /**
   * The machine is there, the place we want in it is not (no such WSL distro yet): everything in it is
   * absent.
   */
  | { readonly state: "absent"; readonly reason: string }
  | { readonly state: "unreachable"; readonly error: Error };
