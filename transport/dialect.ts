import type { Command } from "./command.ts";

/** What came back from a command, as bytes. */
export interface RawFinished {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** A command as a worker shell gets it. */
export interface Assignment {
  readonly command: Command;
  /** After so many seconds the shell itself ends the command. */
  readonly timeoutSeconds: number;
  readonly stdin?: string | Uint8Array | undefined;
}

/**
 * What worker shells of a kind are told on stdin, and how their answers read. A shell answers each command
 * with a frame on both streams: stdout `<output><nonce> <exit code>\n`, stderr `<output><nonce>\n`.
 */
export interface Dialect {
  /** A command that does nothing and succeeds. */
  readonly nothing: Command;
  /**
   * Throws where such a shell cannot run a command: a mistake in the program, told before anything is sent.
   */
  check(command: Command): void;
  /** Begins with one shell, which may remember what it has been sent. @param nonce the mark of its frames */
  converse(nonce: string): Conversation;
}

/** What is said to one shell. */
export interface Conversation {
  /** Prepares the shell; sent before all else, and not answered. */
  readonly first: string;
  /** Runs a command in a child of the shell, under its time limit. */
  request(assignment: Assignment): string;
  /** Runs a command in the shell itself, without a limit: for what must live as long as the shell. */
  statement(command: Command): string;
  /**
   * What the command itself wrote, from the two halves of a frame. Never throws: a host may send anything.
   */
  answer(raw: RawFinished): RawFinished;
  /** A line of output as progress; `undefined`: it is none. */
  line(text: string): string | undefined;
  /** Whether a command that the time limit ended may have this exit code; others may end so by themselves. */
  mayBeLimit(exitCode: number): boolean;
}
