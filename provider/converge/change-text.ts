import { diff, isDeepStrictEqual } from "node:util";
import type { Change } from "#provider/contract/resource.ts";
import { harmless, harmlessJson } from "#transport/harmless.ts";

/** A difference fit to be shown: path as operators write it, secrets masked. */
export interface ShownChange {
  readonly path: string;
  readonly kind: Change["kind"];
  readonly want?: unknown;
  readonly have?: unknown;
  /** Of a finding: what is wrong, in a sentence. */
  readonly text?: string | undefined;
  /**
   * Why it differs: the stack file asks for something else than was applied last, or the host has something
   * else. Absent where nothing was applied before.
   */
  readonly origin?: "configuration" | "host" | undefined;
}

/** What stands in the place of a secret. */
export const secretText = "[secret]";

/** Says what the signs of {@link changeLines} mean; for the end of what holds them. */
export const legend = "In a text that differs, - is what is there and + what is wanted.";

/** Of one place that differs, on each side; and of a whole text. */
const [linesOfSide, linesOfText] = [8, 24];
const shownCharacters = 160;
/** More lines than these are not told apart one by one, which takes the square of their number. */
const comparedLines = 2000;

/** One change in the operator's words; of texts of several lines the lines that differ, see {@link legend}. */
export function changeLines(change: ShownChange): readonly string[] {
  const { path, kind, want, have, text, origin } = change;
  const what = path || "all of it";
  if (kind === "finding") return [`${path}${path && ": "}${text}`];
  const configured = origin === "configuration";
  const one = clipped(valueText(kind === "add" ? want : have));
  if (kind === "add") return [`${what} is ${configured ? "new:" : "missing, should be"} ${one}`];
  if (kind === "delete") return [`${what} ${configured ? "goes" : "should not be there"}: ${one}`];
  return updateLines(what, have, want, configured);
}

function updateLines(what: string, have: unknown, want: unknown, configured: boolean): readonly string[] {
  if (isDeepStrictEqual(have, want)) return [`${what} ${configured ? "changes" : "differs"} (secret)`];
  if (typeof want === "string" && typeof have === "string" && `${want}${have}`.includes("\n"))
    return [
      `${what}: the text ${configured ? "changes" : "differs"}`,
      ...differingLines(have, want).map((line) => `  ${line}`),
    ];
  const [is, other] = valueTexts(have, want);
  return [configured ? `${what} changes from ${is} to ${other}` : `${what} is ${is}, should be ${other}`];
}

/** Whether {@link changeLines} shows a text with signs. */
export const hasSigns = (lines: readonly string[]): boolean => lines.some((line) => /^ +[-+]/.test(line));

/** A value with the secrets in its texts masked. */
export function maskValue(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => maskValue(item, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskValue(inner, mask)]));
}

/** A plain word stands as it is, anything else as JSON; what steers a terminal is escaped. */
export function valueText(value: unknown): string {
  if (value === undefined) return "nothing";
  const plain = typeof value === "string" && (/^[\w.:/+@~-]+$/.test(value) || value === secretText);
  return plain ? value : quoted(value);
}

/** Two values that differ; `1` and `"1"` as JSON. */
function valueTexts(have: unknown, want: unknown): readonly [string, string] {
  const texts = [valueText(have), valueText(want)] as const;
  return texts[0] === texts[1] ? [quoted(have), quoted(want)] : excerpts(...texts);
}

const quoted = (value: unknown) => harmlessJson(JSON.stringify(value));

const clipped = (text: string) =>
  text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;

/** How far two texts, or lists of lines, are the same: from their beginning, and from their end. */
function common(one: ArrayLike<string>, other: ArrayLike<string>): readonly [number, number] {
  const shorter = Math.min(one.length, other.length);
  let start = 0;
  while (start < shorter && one[start] === other[start]) start++;
  let end = 0;
  while (end < shorter - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  return [start, end];
}

/** Two texts that differ; of long ones what differs, in its surroundings. */
export function excerpts(one: string, other: string, longest = shownCharacters): readonly [string, string] {
  const [start, end] = common(one, other);
  return [excerpt(one, start, one.length - end, longest), excerpt(other, start, other.length - end, longest)];
}

function excerpt(text: string, start: number, end: number, longest: number): string {
  if (text.length <= longest) return text;
  // A quarter of it before and after the difference; of a long difference its beginning and its end.
  const quarter = Math.floor(longest / 4);
  const [first, last] = [Math.max(0, start - quarter), Math.min(text.length, end + quarter)];
  const middle =
    end - start > 4 * quarter
      ? `${text.slice(first, start + 2 * quarter)} … ${text.slice(end - quarter, last)}`
      : text.slice(first, last);
  return `${first > 0 ? "…" : ""}${middle}${last < text.length ? "…" : ""}`;
}

/** A line as it is; one with blanks at its end, or with characters that nobody sees, as JSON. */
const shownLine = (line: string): string =>
  line !== line.trimEnd() || line !== harmless(line) ? quoted(line) : line;

/** The lines that differ, and in words whether one of the texts alone ends with a line break. */
function differingLines(have: string, want: string): string[] {
  const [there, wanted] = [linesOf(have), linesOf(want)];
  const shown = hunks(there.lines, wanted.lines).flatMap(({ at, gone, added }) => {
    const pair = (i: number) => excerpts(shownLine(gone[i] ?? ""), shownLine(added[i] ?? ""));
    return [
      `from line ${at}:`,
      ...firstOf(linesOfSide, gone, (i) => `- ${pair(i)[0]}`.trimEnd(), "- "),
      ...firstOf(linesOfSide, added, (i) => `+ ${pair(i)[1]}`.trimEnd(), "+ "),
    ];
  });
  const told = firstOf(linesOfText, shown, (i) => shown[i] ?? "", "");
  if (there.ended !== wanted.ended)
    told.push(
      `the last line ${there.ended ? "ends with a line break, should not" : "does not end with a line break, should"}`,
    );
  return told;
}

function firstOf(most: number, all: readonly string[], text: (i: number) => string, sign: string): string[] {
  const more = all.length - most;
  const first = all.slice(0, most).map((_, i) => text(i));
  return more > 0 ? [...first, `${sign}… ${more} lines more`] : first;
}

function linesOf(text: string): { readonly lines: readonly string[]; readonly ended: boolean } {
  if (text === "") return { lines: [], ended: true };
  const ended = text.endsWith("\n");
  return { lines: (ended ? text.slice(0, -1) : text).split("\n"), ended };
}

interface Hunk {
  /** Number of its first line, in what is there. */
  readonly at: number;
  readonly gone: string[];
  readonly added: string[];
}

function hunks(have: readonly string[], want: readonly string[]): readonly Hunk[] {
  const [start, end] = common(have, want);
  const [gone, added] = [have.slice(start, have.length - end), want.slice(start, want.length - end)];
  if (gone.length + added.length === 0) return [];
  if (gone.length + added.length > comparedLines) return [{ at: start + 1, gone, added }];
  const found: Hunk[] = [];
  let number = start + 1;
  let within = false;
  for (const [side, line] of diff(gone, added)) {
    if (side !== 0 && !within) found.push({ at: number, gone: [], added: [] });
    within = side !== 0;
    if (side === 1) found.at(-1)?.gone.push(line);
    if (side === -1) found.at(-1)?.added.push(line);
    if (side !== -1) number++;
  }
  return found;
}
