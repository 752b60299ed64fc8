import type { z } from "zod";

/** One thing wrong with the configuration. */
export interface Problem {
  /** Where it stands: `["services", "big", "workers", 1]`. */
  readonly path: readonly PropertyKey[];
  /** What is wrong and how to cure it. */
  readonly text: string;
}

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** A path as operators write it: `services.big.workers[1]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    "",
  );
}

/** One line a problem, in the order of the paths; the same line never twice. */
export function lines(problems: readonly Problem[]): string[] {
  return [
    ...new Set(problems.map(({ path, text }) => (path.length > 0 ? `${pathText(path)}: ${text}` : text))),
  ];
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
  const [best] = known
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

function wrongType({ expected, input, inst }: RawIssue): string {
  const must = `must be ${words[expected as string] ?? String(expected)}`;
  if (input === undefined) {
    const description = (inst as z.ZodType | undefined)?.description;
    return description ? `is missing: ${description}` : `is missing; it ${must}`;
  }
  return `${must}, is ${kindOf(input)}${cureOf(String(expected), input)}`;
}

/** How a value of the wrong type is to be written. Holds nothing of the value, which may be a secret. */
function cureOf(expected: string, input: unknown): string {
  // YAML takes 22, 1e5 and no for what they look like.
  if (expected === "string") return typeof input === "object" ? "" : "; put it in quotes";
  if (["number", "int", "boolean"].includes(expected))
    return typeof input === "string" ? "; write it without quotes" : "";
  return expected === "array" && typeof input !== "object" ? "; write it in brackets: [ … ]" : "";
}

const choices = (values: readonly unknown[]) =>
  `must be ${values.length > 1 ? "one of " : ""}${list(values)}`;

function wrongValue(values: readonly unknown[], value: unknown): string {
  return value === undefined ? `is missing; it ${choices(values)}` : `${choices(values)}, ${given(value)}`;
}

function wrongSize({ origin, input, code, minimum, maximum }: RawIssue): string | undefined {
  if (origin === "string" && input === "") return "must not be empty";
  if (origin !== "number" && origin !== "int") return undefined;
  return `must be ${code === "too_small" ? `at least ${minimum}` : `at most ${maximum}`}, ${given(input)}`;
}

/** What zod found, in the operator's words. Handed to `safeParse` as its error map. */
function wording(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return wrongType(issue);
    case "invalid_value":
      return wrongValue(issue.values as readonly unknown[], issue.input);
    case "too_small":
    case "too_big":
      return wrongSize(issue);
    case "invalid_union":
      return wrongKind(issue);
    default:
      return undefined;
  }
}

/** A map whose kind a key of it names, such as `engine`, and that key is missing or names none. */
function wrongKind({ inst, discriminator, input }: RawIssue): string | undefined {
  if (typeof discriminator !== "string") return undefined;
  const options = ((inst as z.ZodDiscriminatedUnion | undefined)?.options ?? []) as readonly z.ZodObject[];
  const values = options.flatMap(({ shape }) => [...((shape[discriminator] as z.ZodLiteral).values ?? [])]);
  return wrongValue(values, (input as Record<string, unknown>)[discriminator]);
}

const shapeOf = (schema: unknown): readonly string[] =>
  Object.keys((schema as { shape?: Record<string, unknown> } | undefined)?.shape ?? {});

function unionProblems(
  branches: readonly (readonly Issue[])[],
  at: readonly PropertyKey[],
  known: KnownKeys,
): Problem[] {
  const roots = branches.map(([first, ...more]) =>
    first && more.length === 0 && first.path.length === 0 ? first : undefined,
  );
  const wanted = roots.map((issue) => /^must be (.*), is /.exec(issue?.message ?? "")?.[1]);
  if (wanted.every((text) => text !== undefined))
    return [{ path: at, text: `must be ${wanted.join(" or ")}` }];
  const [closest = []] = branches
    .map((issues) => issues.flatMap((issue) => problemsOf(issue, at, known)))
    .sort((a, b) => a.length - b.length);
  return closest;
}

/** Known keys of the strict objects met while parsing, by their issue; zod names only the unknown ones. */
type KnownKeys = Map<string, readonly string[]>;

/** Notes an issue's known keys, for {@link problemsOf}. */
function note(issue: RawIssue, known: KnownKeys): void {
  if (issue.code === "unrecognized_keys") known.set(list(issue.keys as string[]), shapeOf(issue.inst));
}

/** A zod issue as problems: one for each unknown key, the nearest branch of a union. */
function problemsOf(issue: Issue, at: readonly PropertyKey[], known: KnownKeys): Problem[] {
  const path = [...at, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys": {
      const keys = known.get(list(issue.keys)) ?? [];
      return issue.keys.map((key) => ({
        path: [...path, key],
        text: `is not a known key${suggestion(key, keys)}`,
      }));
    }
    case "invalid_union":
      if (issue.errors.length === 0) return [{ path, text: issue.message }];
      return unionProblems(issue.errors, path, known);
    case "invalid_key":
      return [{ path, text: issue.issues.map((inner) => inner.message).join("; ") }];
    default:
      return [{ path, text: issue.message }];
  }
}

/** Parses a value; problems instead of an exception. */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  at: readonly PropertyKey[],
): { readonly value?: z.output<S>; readonly problems: readonly Problem[] } {
  const known: KnownKeys = new Map();
  const result = schema.safeParse(value, {
    error: (issue) => {
      note(issue, known);
      return wording(issue);
    },
  });
  if (result.success) return { value: result.data, problems: [] };
  return { problems: result.error.issues.flatMap((issue) => problemsOf(issue, at, known)) };
}
