import { z } from "zod";
import { sh } from "#transport/command.ts";
import { harmless } from "#transport/harmless.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** One entry of a machine's journal. */
export interface JournalEntry {
  /** Where it stands in the journal; asking goes on behind it. */
  readonly cursor: string;
  /** Milliseconds since 1970, by the machine's clock. */
  readonly time: number;
  /** Who said it: `llama-server[812]`, `systemd[1]`. */
  readonly source: string;
  readonly message: string;
}

/** Which part of the journal is wanted. */
export type JournalRange =
  /** The last `lines` entries, those since a time as journalctl understands it, or both. */
  | { readonly lines?: number | undefined; readonly since?: string | undefined }
  /** All behind an entry. */
  | { readonly after: string };

const maxMessage = 8192;

const bytes = z.array(z.number());
const field = z
  .union([z.string(), bytes, z.array(z.union([z.string(), bytes, z.null()])), z.null()])
  .optional();
const printed = z.looseObject({
  __CURSOR: z.string(),
  __REALTIME_TIMESTAMP: z.string(),
  MESSAGE: field,
  SYSLOG_IDENTIFIER: field,
  _COMM: field,
  _PID: field,
});

/**
 * journalctl writes what is no valid UTF-8 as a list of bytes, and a field that stands twice as a list of
 * texts.
 */
function textOf(value: z.output<typeof field>): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (value.every((part) => typeof part === "number")) return Buffer.from(value).toString("utf8");
  return value.map((part) => textOf(typeof part === "number" ? [part] : part)).join(" ");
}

function parseEntry(line: string): JournalEntry {
  const entry = printed.parse(JSON.parse(line));
  const name = textOf(entry.SYSLOG_IDENTIFIER) || textOf(entry._COMM) || "?";
  const pid = textOf(entry._PID);
  const message = harmless(textOf(entry.MESSAGE));
  return {
    cursor: entry.__CURSOR,
    time: Math.floor(Number(entry.__REALTIME_TIMESTAMP) / 1000),
    source: harmless(pid === "" ? name : `${name}[${pid}]`),
    message: message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message,
  };
}

function parseJournal(finished: Finished): readonly JournalEntry[] {
  // 1 without a word: there is no entry.
  const lines = linesOf(finished, finished.stderr.trim() === "" ? [0, 1] : [0]);
  return lines.filter((line) => line.startsWith("{")).map(parseEntry);
}

const fields = ["MESSAGE", "SYSLOG_IDENTIFIER", "_COMM", "_PID"];

/** Entries of units, oldest first: their own, and what systemd says of them. */
export const journal = (units: readonly string[], range: JournalRange): Fact<readonly JournalEntry[]> => {
  const which =
    "after" in range
      ? [`--after-cursor=${range.after}`]
      : [
          ...(range.since === undefined ? [] : [`--since=${range.since}`]),
          ...(range.lines === undefined ? [] : [`--lines=${range.lines}`]),
        ];
  return {
    name: "journalctl",
    command: sh`journalctl --quiet --no-pager --all --output=json --output-fields=${fields.join(",")} ${units.map((unit) => `--unit=${unit}`)} ${which}`,
    timeoutSeconds: 60,
    parse: parseJournal,
  };
};
