import type { z } from "zod";
import { inheritedText, isInherited } from "./inherited.ts";

/** One thing wrong with the configuration. */
export interface Problem {
  /** Where it stands: `["services", "big", "workers", 1]`. */
  readonly path: readonly PropertyKey[];
  /** What is wrong and how to cure it. */
  readonly text: string;
}

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/**
 * A place in a configuration, as operators and Pulumi write it: `services.big.workers[1]`,
 * `files["/etc/x"].mode`.
 */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const key = String(part);
    if (!/^[\w$:-]+$/.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text ? `${text}.${key}` : key;
  }, "");
}

/** What steers a terminal, or turns the direction of a line, is shown by its number: it comes from the file. */
const shown = (text: string) =>
  text.replaceAll(
    /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** One line a problem, in the order of the paths; the same line never twice. */
export function problemLines(problems: readonly Problem[]): string[] {
  return [
    ...new Set(
      problems.map(({ path, text }) => shown(path.length > 0 ? `${pathText(path)}: ${text}` : text)),
    ),
  ];
}

/** What is wrong as one text: a heading, and below it one line a problem. */
export function problemReport(heading: string, problems: readonly Problem[]): string {
  return [`${heading}:`, ...problemLines(problems).map((line) => `  ${line}`)].join("\n");
}

/** Edits from one word to another; two neighbouring letters swapped are one. */
function distance(a: string, b: string): number {
  const far = (i: number, j: number): number => {
    if (i === 0 || j === 0) return i + j;
    const same = a[i - 1] === b[j - 1];
    const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
    return Math.min(
      at(i - 1, j) + 1,
      at(i, j - 1) + 1,
      at(i - 1, j - 1) + (same ? 0 : 1),
      swapped ? at(i - 2, j - 2) + 1 : Infinity,
    );
  };
  const known = new Map<string, number>();
  const at = (i: number, j: number): number => {
    const key = `${i} ${j}`;
    const value = known.get(key) ?? far(i, j);
    known.set(key, value);
    return value;
  };
  return at(a.length, b.length);
}

/** `; did you mean X?` when a known word is near, else the known ones. */
export function suggestion(word: string, known: readonly string[]): string {
  // No name is as long, and the comparison takes the product of both lengths.
  const [best] = (word.length > 200 ? [] : known)
    .map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.far - b.far);
  if (best) return `; did you mean ${best.candidate}?`;
  return known.length > 0 ? `; known here: ${known.join(", ")}` : "";
}

const words: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
  null: "empty",
};

function kindOf(value: unknown): string {
  const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return words[kind] ?? kind;
}

const list = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join(", ");

/** Values are shown only where a secret cannot stand: choices and limits of numbers. */
const given = (value: unknown) =>
  typeof value === "string" || typeof value === "number"
    ? `is ${JSON.stringify(value)}`
    : `is ${kindOf(value)}`;

const missing = (inst: unknown, wanted: string) => {
  const description = (inst as z.ZodType | undefined)?.description;
  return description ? `is missing: ${description}` : `is missing; it must be ${wanted}`;
};

/** What a schema takes, by the type that zod expected. */
const typeText = (expected: unknown) => words[String(expected)] ?? String(expected);

function wrongTypeText({ expected, input, inst }: RawIssue): string {
  if (input === undefined) return missing(inst, typeText(expected));
  // A number is no secret, and only a number is too much of a fraction.
  const found = typeof input === "number" && expected === "int" ? String(input) : kindOf(input);
  return `must be ${typeText(expected)}, is ${found}${cureOf(String(expected), input)}`;
}

/** How a value of the wrong type is to be written. Holds nothing of the value, which may be a secret. */
function cureOf(expected: string, input: unknown): string {
  // YAML takes 22, 1e5 and no for what they look like.
  if (expected === "string") return typeof input === "object" ? "" : "; put it in quotes";
  if (["number", "int", "boolean"].includes(expected))
    return typeof input === "string" ? "; write it without quotes" : "";
  return expected === "array" && typeof input !== "object" ? "; write it in brackets: [ … ]" : "";
}

const choices = (values: readonly unknown[]) => (values.length > 1 ? `one of ${list(values)}` : list(values));

const wrongValueText = (values: readonly unknown[], value: unknown): string =>
  value === undefined
    ? `is missing; it must be ${choices(values)}`
    : `must be ${choices(values)}, ${given(value)}`;

function wrongSizeText({ origin, input, code, minimum, maximum }: RawIssue): string | undefined {
  if (origin === "string" && input === "") return "must not be empty";
  if (origin !== "number" && origin !== "int") return undefined;
  return `must be ${code === "too_small" ? `at least ${minimum}` : `at most ${maximum}`}, ${given(input)}`;
}

/** What zod found, in the operator's words. Handed to `safeParse` as its error map. */
function issueText(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return wrongTypeText(issue);
    case "invalid_value":
      return wrongValueText(issue.values as readonly unknown[], issue.input);
    case "too_small":
    case "too_big":
      return wrongSizeText(issue);
    case "invalid_union":
      return typeof issue.discriminator === "string" ? wrongKindText(issue) : wrongUnionText(issue);
    case "unrecognized_keys":
      // A line for each key, which problemsOf puts to the keys.
      return (issue.keys as readonly string[]).map((key) => unknownKeyText(key, issue.inst)).join("\n");
    default:
      return undefined;
  }
}

const unknownKeyText = (key: string, inst: unknown) =>
  `is not a known key${suggestion(key, Object.keys((inst as { shape?: object } | undefined)?.shape ?? {}))}`;

/** A map whose kind a key of it names, such as `engine`, and that key is missing or names none. */
function wrongKindText({ inst, discriminator, input }: RawIssue): string {
  const key = discriminator as string;
  const options = ((inst as z.ZodDiscriminatedUnion | undefined)?.options ?? []) as readonly z.ZodObject[];
  const values = options.flatMap(({ shape }) => [...((shape[key] as z.ZodLiteral).values ?? [])]);
  return wrongValueText(values, (input as Record<string, unknown>)[key]);
}

/**
 * What a branch of a union takes, where the value is of another kind; `undefined`: of its kind, and wrong in
 * itself.
 */
function wantedKind([first, ...more]: readonly Issue[]): string | undefined {
  if (first === undefined || more.length > 0 || first.path.length > 0) return undefined;
  if (first.code === "invalid_type") return typeText(first.expected);
  return first.code === "invalid_value" ? choices(first.values) : undefined;
}

/** What the branches of a union take, where the value is of none of these kinds. */
function wantedKinds(branches: readonly (readonly Issue[])[]): readonly string[] | undefined {
  const wanted = branches.map(wantedKind);
  return wanted.every((text) => text !== undefined) ? wanted : undefined;
}

function wrongUnionText({ errors, input, inst }: RawIssue): string | undefined {
  const wanted = wantedKinds(errors as readonly (readonly Issue[])[]);
  if (wanted === undefined) return undefined;
  return input === undefined ? missing(inst, wanted.join(" or ")) : `must be ${wanted.join(" or ")}`;
}

/** A zod issue as problems: one for each unknown key, those of the nearest branch of a union. */
function problemsOf(issue: Issue, at: readonly PropertyKey[]): Problem[] {
  const path = [...at, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys": {
      const texts = issue.message.split("\n");
      return issue.keys.map((key, i) => ({ path: [...path, key], text: texts[i] ?? "is not a known key" }));
    }
    case "invalid_union": {
      if (issue.errors.length === 0 || wantedKinds(issue.errors)) return [{ path, text: issue.message }];
      const [nearest = []] = issue.errors
        .filter((issues) => wantedKind(issues) === undefined)
        .map((issues) => issues.flatMap((inner) => problemsOf(inner, path)))
        .sort((a, b) => a.length - b.length);
      return nearest;
    }
    case "invalid_key":
      return [{ path, text: issue.issues.map((inner) => inner.message).join("; ") }];
    default:
      return [{ path, text: issue.message }];
  }
}

/** Keys of maps, however deep, that every object has: told here once, as schemas pass over some of them. */
function inheritedKeys(value: unknown, at: readonly PropertyKey[]): Problem[] {
  if (typeof value !== "object" || value === null) return [];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.flatMap(([key, inner]) => {
    const path = [...at, key];
    return typeof key === "string" && isInherited(key)
      ? [{ path, text: inheritedText }]
      : inheritedKeys(inner, path);
  });
}

/**
 * Parses a value; what is wrong comes back as problems in the operator's words.
 *
 * @param at where the value stands, which begins the path of every problem
 */
export function parseValue<S extends z.ZodType>(
  schema: S,
  value: unknown,
  at: readonly PropertyKey[],
): { readonly value?: z.output<S>; readonly problems: readonly Problem[] } {
  const reserved = inheritedKeys(value, at);
  const result = schema.safeParse(value, { error: issueText });
  if (result.success && reserved.length === 0) return { value: result.data, problems: [] };
  const told = new Set(reserved.map(({ path }) => pathText(path)));
  const found = (result.error?.issues ?? []).flatMap((issue) => problemsOf(issue, at));
  return { problems: [...reserved, ...found.filter(({ path }) => !told.has(pathText(path)))] };
}
