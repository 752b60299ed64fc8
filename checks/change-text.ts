import { pathText } from "#inventory/problems.ts";
import { touchesSecret } from "#provider/adapter/secrets.ts";
import type { Change, Path } from "#provider/contract/resource.ts";
import type { ShownChange } from "./result.ts";

const shownLines = 8;
const shownCharacters = 160;

/** Changes fit to be shown or written to a file. */
export function showChanges(
  changes: readonly Change[],
  secretPaths: readonly Path[],
  mask: (text: string) => string,
): readonly ShownChange[] {
  return changes.map(({ path, kind, want, have, text }) => {
    const secret = touchesSecret(path, secretPaths);
    const shown = (value: unknown) => (secret ? "[secret]" : maskValue(value, mask));
    return {
      path: pathText(path),
      kind,
      ...(want === undefined ? {} : { want: shown(want) }),
      ...(have === undefined ? {} : { have: shown(have) }),
      ...(text === undefined ? {} : { text: mask(text) }),
    };
  });
}

function maskValue(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => maskValue(item, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskValue(inner, mask)]));
}

/** One change in the operator's words; texts of several lines show the lines that differ. */
export function changeLines({ path, kind, want, have, text }: ShownChange): readonly string[] {
  const what = path || "all of it";
  if (kind === "finding") return [`${path}${path && ": "}${text}`];
  if (kind === "add") return [`${what}: missing, wanted ${valueText(want)}`];
  if (kind === "delete") return [`${what}: is there, not wanted: ${valueText(have)}`];
  if (typeof want === "string" && typeof have === "string" && `${want}${have}`.includes("\n")) {
    return [`${what}: the text differs`, ...differingLines(want, have).map((line) => `  ${line}`)];
  }
  return [`${what}: wanted ${valueText(want)}, is ${valueText(have)}`];
}

function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}

/**
 * Lines between the common beginning and the common end: `-` is wanted and not there, `+` is there instead.
 */
function differingLines(want: string, have: string): string[] {
  const wanted = want.split("\n");
  const there = have.split("\n");
  const shorter = Math.min(wanted.length, there.length);
  let start = 0;
  while (start < shorter && wanted[start] === there[start]) start++;
  let end = 0;
  while (end < shorter - start && wanted.at(-1 - end) === there.at(-1 - end)) end++;
  const part = (sign: string, lines: string[]) => {
    const middle = lines.slice(start, lines.length - end);
    const shown = middle.slice(0, shownLines).map((line) => `${sign} ${line.slice(0, shownCharacters)}`);
    return middle.length > shownLines
      ? [...shown, `${sign} … ${middle.length - shownLines} lines more`]
      : shown;
  };
  return [`from line ${start + 1}:`, ...part("-", wanted), ...part("+", there)];
}
