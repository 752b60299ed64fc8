import type { Command } from "./command.ts";
import type { RawFinished } from "./dialect.ts";
import type { Fact, FileAttributes } from "./host.ts";

/** What the transport itself asks and tells a host, in the commands of its system. */
export interface Basics {
  /** Tells one boot of a machine from the next. */
  readonly boot: Fact<string>;
  /** Whether two answers of {@link boot} are of one boot. */
  sameBoot(one: string, other: string): boolean;
  /** Asks for a reboot and comes back at once; exit code 0: it is under way. */
  readonly reboot: Command;
  /** What an operator looks at where a reboot does not come to its end. */
  readonly rebootHint: string;
  readFile(path: string): FileQuestion;
  /**
   * Puts stdin in place as a whole or not at all. Throws for attributes of another system, and for a path
   * that is not absolute.
   */
  writeFile(path: string, attributes: FileAttributes): Command;
  readonly lock: LockCommands;
}

/** A question for the content of a file. */
export interface FileQuestion {
  readonly command: Command;
  /** `undefined`: there is no such file. `refused`: it cannot be read, and stderr says why. */
  contentOf(finished: RawFinished): Buffer | "refused" | undefined;
}

/** How the machine-wide lock is taken and held, by a shell that is used for nothing else. */
export interface LockCommands {
  /** What an operator would look at. */
  readonly place: string;
  /**
   * A statement: takes the lock for as long as the shell lives, and leaves `since <time> by <holder>` for
   * others. Fails without a word on stderr where somebody else has it for longer than `waitSeconds`.
   */
  take(holder: string, waitSeconds: number): Command;
  /** A statement: prints what the present holder left. */
  readonly holder: Command;
  /**
   * Said to the shell that has it: from now on each line renews the lease; without one for so long the shell
   * ends.
   */
  hold(leaseSeconds: number): string;
}
