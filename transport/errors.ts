import { type Command, shownCommand } from "./command.ts";
import { harmless } from "./harmless.ts";
import type { Finished } from "./host.ts";

/** What an error calls a host: its name in the inventory, and how an operator would reach it. */
export interface HostName {
  readonly name: string;
  readonly target: string;
}

/**
 * What failed on the way to a host: `unreachable` no SSH server answered, `key` its host key is not the known
 * one, `auth` it would not let us in, `config` our side lacks something, `refused` it let us in and would not
 * do it (sudo, the lock), `timeout` a command ran out of time, `lost` the connection broke, `closed` we have
 * closed it for good, `answer` what it answered was not understood, or had no end.
 */
export type HostErrorKind =
  | "unreachable"
  | "key"
  | "auth"
  | "config"
  | "refused"
  | "timeout"
  | "lost"
  | "closed"
  | "answer";

/**
 * A host could not be reached, asked or told; the message names host, what was tried, what came back and the
 * cure. What it holds is harmless to a terminal, whoever said it.
 */
export class HostError extends Error {
  override readonly name = "HostError";
  /** Name in the inventory. */
  readonly host: string;
  readonly target: string;
  readonly kind: HostErrorKind;
  /** The message without the host and without the hint. */
  readonly what: string;
  /** What the operator can do next; already the last line of the message. */
  readonly hint: string | undefined;
  /** The key of `credentials` that is not set, and without which it cannot go on. */
  readonly missing: "sudoPassword" | undefined;

  constructor(
    host: HostName,
    kind: HostErrorKind,
    what: string,
    hint?: string,
    cause?: unknown,
    missing?: HostError["missing"],
  ) {
    const lines = [`${host.name} (${host.target}): ${what}`, ...(hint === undefined ? [] : [indent(hint)])];
    super(harmless(lines.join("\n")), { cause });
    this.host = host.name;
    this.target = host.target;
    this.kind = kind;
    this.what = harmless(what);
    this.hint = hint && harmless(hint);
    this.missing = missing;
  }
}

const defaultLastLines = 8;
const longestLine = 300;

const indent = (text: string) => text.replaceAll(/^(?=.)/gm, "  ");

/** The last lines of some output, indented and harmless to a terminal; empty if there is none. */
export function lastLines(text: string, count = defaultLastLines): string {
  const lines = harmless(text.replaceAll(/\r\n?/g, "\n"))
    .split("\n")
    .filter((line) => line.trim() !== "");
  return indent(
    lines
      .slice(-count)
      .map((line) => clip(line, longestLine))
      .join("\n"),
  );
}

/** Some words and, below them, the last lines of what was said. */
export function withLastLines(what: string, said: string): string {
  const lines = lastLines(said);
  return lines === "" ? what : `${what}\n${lines}`;
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

/** A command as one line an operator can recognise: the first lines of a script, at most 160 characters. */
export function shortened(command: Command): string {
  const lines = shownCommand(command)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return clip(lines.join("; "), 160);
}

/**
 * Words a command that ended with another exit code than 0: host, command, code, the last lines of what it
 * said.
 */
export function failureText(host: HostName, command: Command, finished: Finished): string {
  const { exitCode, stdout, stderr } = finished;
  const said = stderr.trim() === "" ? stdout : stderr;
  const end =
    // What a POSIX shell makes of a signal.
    "text" in command && exitCode > 128 && exitCode < 160
      ? `was ended by signal ${exitCode - 128}`
      : `failed with exit code ${exitCode}`;
  return withLastLines(`${host.name} (${host.target}): ${shortened(command)} ${end}`, said);
}
