import { isDeepStrictEqual } from "node:util";
import type { YAMLMap, YAMLSeq } from "yaml";
import { isAlias, isCollection, isMap, isScalar, isSeq, type Pair, parseDocument, stringify } from "yaml";

/**
 * Sets a value in a YAML text and leaves every other byte of it alone: comments, order, quotes and line ends.
 * The text is cut open where the parser says that a node lies, and what comes out is parsed again and must be
 * what was meant.
 */

/** Where a value goes: keys of maps, from the top. Maps that are missing on the way are made. */
export type KeyPath = readonly [string, ...string[]];

/**
 * The text with `value` at `path`.
 * @param lines the value as text, for where lines fit: comments in it, not indented, two blanks a level.
 * Default: without comments
 */
export function setIn(text: string, path: KeyPath, value: unknown, lines = linesOf(value)): string {
  const doc = parseYaml(text);
  const edited = edit(text, doc.contents, path, value, lines);
  if (isDeepStrictEqual(parseYaml(edited).toJS(), placed(doc.toJS(), path, value))) return edited;
  throw new Error(`${path.join(".")} is written in a way that cannot be edited here; write it by hand`);
}

/**
 * The text without what stands at `path`: its lines, the comments in it and right above it, and those maps on
 * the way that would be left empty.
 */
export function removeIn(text: string, path: KeyPath): string {
  const doc = parseYaml(text);
  const way: { readonly map: YAMLMap; readonly pair: Pair }[] = [];
  let node: unknown = doc.contents;
  for (const key of path) {
    const map = isMap(node) ? node : undefined;
    const pair = map?.items.find((one) => isScalar(one.key) && one.key.value === key);
    if (map === undefined || pair === undefined) return text;
    way.push({ map, pair });
    node = pair.value;
  }
  const depth = Math.max(
    0,
    way.findLastIndex(({ map }) => map.items.length > 1),
  );
  const { map, pair } = way[depth] as (typeof way)[number];
  const edited = map.flow ? text : withoutPair(text, pair, depth === path.length - 1);
  const meant = without(doc.toJS(), path.slice(0, depth + 1));
  if (isDeepStrictEqual(parseYaml(edited).toJS() ?? {}, meant)) return edited;
  throw new Error(`${path.join(".")} is written in a way that cannot be edited here; take it out by hand`);
}

/** The value that is meant, to compare with. */
function without(whole: unknown, [key = "", ...below]: readonly string[]): unknown {
  const { [key]: inner, ...others } = whole as Record<string, unknown>;
  return below.length === 0 ? others : { ...(whole as object), [key]: without(inner, below) };
}

/** @param above whether comments right above it, at its own column, are its own */
function withoutPair(text: string, pair: Pair, above: boolean): string {
  const key = rangeOf(pair.key)[0];
  const column = columnOf(text, key);
  let start = key - column;
  const comment = new RegExp(`(?:^|\n) {${column}}#[^\n]*\n$`);
  for (
    let found = comment.exec(text.slice(0, start));
    above && found;
    found = comment.exec(text.slice(0, start))
  )
    start = found.index === 0 && text[0] !== "\n" ? 0 : found.index + 1;
  const end = afterComments(text, nextLine(text, pairEnd(pair)), column + 1);
  return text.slice(0, start) + text.slice(end);
}

/** The value that is meant, to compare with. */
function placed(whole: unknown, [key, ...below]: readonly string[], value: unknown): unknown {
  if (key === undefined) return JSON.parse(JSON.stringify(value));
  const map = (whole ?? {}) as Record<string, unknown>;
  return { ...map, [key]: placed(map[key], below, value) };
}

/** Parses, or throws with the place of the first error. */
export function parseYaml(text: string): ReturnType<typeof parseDocument> {
  const doc = parseDocument(text);
  const [error] = doc.errors;
  if (error) throw new Error(`it is no valid YAML: ${error.message.trim()}`);
  return doc;
}

function edit(text: string, top: unknown, path: KeyPath, value: unknown, lines: readonly string[]): string {
  let map: unknown = top;
  for (const [depth, key] of path.entries()) {
    const below = path.slice(depth + 1);
    if (isNothing(map) && depth === 0) return inserted(text, text.length, nested(path, lines), 0);
    if (!isMap(map))
      throw new Error(`${path.slice(0, depth).join(".")} is ${isAlias(map) ? "an alias" : "no map of keys"}`);
    const pair = map.items.find((one) => isScalar(one.key) && one.key.value === key);
    if (pair === undefined)
      return withPair(text, map, wrapped([key, ...below], value), nested([key, ...below], lines));
    if (below.length === 0) return withValue(text, map, pair, value, lines);
    if (isNothing(pair.value)) return withValue(text, map, pair, wrapped(below, value), nested(below, lines));
    map = pair.value;
  }
  return text;
}

// ── Values as text ──

const wrapped = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight((inner, key) => ({ [key]: inner }), value);

/** Lines under a path of keys, each level two blanks further in; a value that fits stays behind its key. */
function nested(path: readonly string[], lines: readonly string[]): string[] {
  const [key, ...below] = path;
  if (key === undefined) return [...lines];
  const inner = nested(below, lines);
  const [only = ""] = inner;
  if (below.length === 0 && inner.length === 1 && isInline(only)) return [`${key}: ${only}`];
  return [`${key}:`, ...inner.map((line) => (line === "" ? "" : `  ${line}`))];
}

/** One line that is neither a pair nor an item of a list. */
const isInline = (line: string) => !isCollection(parseDocument(line).contents) || /^[[{]/.test(line);

/** A value as lines under a path of keys. */
export const linesUnder = (path: readonly string[], value: unknown) => nested(path, linesOf(value));

/** A value as lines: lists of maps one map a line, everything else in one. */
function linesOf(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) return [inFlow(value)];
  return value.map((item) => `- ${inFlow(item)}`);
}

/** A value in one line, quoted so that it can stand anywhere. */
function inFlow(value: unknown): string {
  // As the item of a list, so that what needs quotes there gets them.
  const list = stringify([value], { collectionStyle: "flow", lineWidth: 0 });
  return list
    .trim()
    .replace(/^\[\s*/, "")
    .replace(/\s*\]$/, "");
}

// ── Places in the text ──

/** Nothing stands there: `key:`, `key: null`, `key: {}`. */
function isNothing(node: unknown): boolean {
  if (node === null || node === undefined) return true;
  if (isCollection(node)) return node.items.length === 0;
  return isScalar(node) && node.value === null;
}

function rangeOf(node: unknown): readonly [start: number, end: number] {
  const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
  if (!range) throw new Error("the parser does not tell where a value lies");
  return [range[0], range[1]];
}

/** End of a node's last word, without the comments and blank lines that the parser counts to it. */
function endOf(node: unknown): number {
  if (!isCollection(node) || node.flow || node.items.length === 0) return rangeOf(node)[1];
  const last: unknown = node.items.at(-1);
  return isMap(node) ? pairEnd(last as Pair) : endOf(last);
}

const pairEnd = ({ key, value }: Pair): number =>
  value === null || value === undefined ? rangeOf(key)[1] : Math.max(rangeOf(key)[1], endOf(value));

const columnOf = (text: string, at: number) => at - (text.lastIndexOf("\n", at - 1) + 1);

/**
 * Begin of the line behind the one that ends at or after a position; a block text may end with its own line
 * end.
 */
function nextLine(text: string, at: number): number {
  if (text[at - 1] === "\n") return at;
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

/**
 * Skips comments that belong to what stands above them: in as far as `column`, without a blank line between.
 */
function afterComments(text: string, at: number, column: number): number {
  const own = new RegExp(` {${column},}#[^\n]*(?:\n|$)`, "y");
  own.lastIndex = at;
  let end = at;
  while (own.test(text)) end = own.lastIndex;
  return end;
}

// ── Edits ──

const eolOf = (text: string) => (text.includes("\r\n") ? "\r\n" : "\n");

/** Whole lines put in at the begin of a line, or at the end of a text that ends without a line end. */
function inserted(text: string, at: number, lines: readonly string[], column: number): string {
  const eol = eolOf(text);
  const gap = at > 0 && text[at - 1] !== "\n" ? eol : "";
  const block = lines.map((line) => (line === "" ? eol : " ".repeat(column) + line + eol)).join("");
  return text.slice(0, at) + gap + block + text.slice(at);
}

/** One more pair at the end of a map that has some. */
function withPair(text: string, map: YAMLMap, value: unknown, lines: readonly string[]): string {
  const [first] = map.items;
  const last = map.items.at(-1);
  if (first === undefined || last === undefined) throw new Error("an empty map was taken for one with keys");
  if (map.flow) {
    const at = pairEnd(last);
    const pair = inFlow(value)
      .replace(/^\{\s*/, "")
      .replace(/\s*\}$/, "");
    return `${text.slice(0, at)}, ${pair}${text.slice(at)}`;
  }
  const column = columnOf(text, rangeOf(first.key)[0]);
  // What is commented out below the last entry is the entry's. Among plain fields that is at their own
  // column.
  const own = isMap(last.value) && !last.value.flow ? column + 1 : column;
  return inserted(text, afterComments(text, nextLine(text, pairEnd(last)), own), lines, column);
}

/** Another value for a key that is there; a comment behind the key stays. */
function withValue(text: string, map: YAMLMap, pair: Pair, value: unknown, lines: readonly string[]): string {
  const { key, value: node } = pair;
  const colon = text.indexOf(":", rangeOf(key)[1]) + 1;
  const isBlock = isCollection(node) && !node.flow && node.items.length > 0;
  const inLines = !map.flow && (lines.length > 1 || !isInline(lines[0] ?? ""));
  if (inLines && isBlock && isSeq(node) && Array.isArray(value)) return withItems(text, node, value);
  const [start, end] = isBlock ? [nextLine(text, colon), nextLine(text, endOf(node))] : placeOf(node, colon);
  if (inLines) {
    const opened = text.slice(0, isBlock ? start : colon) + text.slice(end);
    return inserted(opened, nextLine(opened, colon), lines, columnOf(text, rangeOf(key)[0]) + 2);
  }
  const gap = isBlock || start === end ? " " : "";
  const at = isBlock ? colon : start;
  return text.slice(0, at) + gap + inFlow(value) + text.slice(at, start) + text.slice(end);
}

/** Where a value in one line stands; behind the colon where there is none. */
function placeOf(node: unknown, colon: number): readonly [start: number, end: number] {
  if (node === null || node === undefined) return [colon, colon];
  const [start, end] = rangeOf(node);
  return start === end ? [colon, colon] : [start, end];
}

/** A list's items one by one, so that a comment behind one that stays is kept. */
function withItems(text: string, seq: YAMLSeq, value: readonly unknown[]): string {
  const have = seq.toJSON() as readonly unknown[];
  const [first] = seq.items;
  const column = columnOf(text, text.lastIndexOf("-", rangeOf(first)[0]));
  const added = value.slice(have.length).map((item) => `- ${inFlow(item)}`);
  // From behind, so that the places before stay right.
  let edited = inserted(text, nextLine(text, endOf(seq)), added, column);
  for (const [i, item] of [...seq.items.entries()].reverse()) {
    const [start] = rangeOf(item);
    const end = endOf(item);
    if (i >= value.length) {
      const line = start - columnOf(text, start);
      edited = edited.slice(0, line) + edited.slice(nextLine(text, end));
    } else if (!isDeepStrictEqual(have[i], value[i])) {
      edited = edited.slice(0, start) + inFlow(value[i]) + edited.slice(end);
    }
  }
  return edited;
}
