import type { LongStep } from "#provider/contract/step.ts";
import type { Command } from "#transport/command.ts";
import type { Fact, Host } from "#transport/host.ts";
import type { OwnerRecord, Owners } from "./owner-record.ts";

/** What a failure of some step comes from, and its cure. */
export interface Cause {
  readonly found: readonly string[];
  readonly hint: string;
}

/** What a look at long work tells. */
export interface LongLook {
  readonly state: "running" | "done" | "failed";
  /** Of failed work: what became of it, to be read after its name: `failed with exit code 3`. */
  readonly end?: string;
  /** Bytes of its log so far. */
  readonly size: number;
  /** What the log got since the offset asked for. */
  readonly more: string;
}

/** The commands of one long step. */
export interface LongWork {
  /** Under which name an operator finds the work on the machine. */
  readonly name: string;
  /** Path of its log, which stays where the work failed. */
  readonly log: string;
  /**
   * Starts the work unless it runs already; takes the step's stdin. Work of that name with another key is
   * stopped first.
   */
  readonly start: Command;
  /** How long the start may take, as where other work must be waited for. */
  readonly startSeconds: number;
  /** Its state, and its log from an offset on. */
  look(offset: number): Fact<LongLook>;
  /** Takes away what work that went well leaves. */
  readonly clean: Command;
}

/** What the engine itself runs on a host, whatever the resource: one for each operating system. */
export interface Ground {
  /** Removes a file or an empty folder; absence is fine, a folder with foreign content stays. */
  deletion(path: string): Command;
  /** The owners records of these items, as far as they are there. */
  readOwners(items: readonly string[]): Fact<Owners>;
  /** Writes owners records; one that nobody owns any more is removed. */
  writeOwners(records: readonly OwnerRecord[]): { readonly command: Command; readonly stdin: string };
  /** Throws where the step's script is none of this system. */
  long(step: LongStep): LongWork;
  /** How long a machine may take to come back. */
  readonly rebootSeconds: number;
  /**
   * Looks at the machine for what the words of a failure point to; `undefined` where they point to nothing,
   * or where it is not so.
   *
   * @param path the path that the step is about, if it is about one
   */
  causeOf(text: string, host: Host, path?: string): Promise<Cause | undefined>;
}
