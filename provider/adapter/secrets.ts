import type { Path } from "#provider/contract/resource.ts";

/** How Pulumi marks a secret on the wire and in state (sdk/go/common/resource/sig). */
const signature = "4dabf18193072939515e22adb298388d";
const secretMark = "1b47061264138c4ac30d75fd1eb44270";
/** How Pulumi marks a value that is not known during preview. */
const unknownMark = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

type Plain = Record<string, unknown>;

const isObject = (value: unknown): value is Plain | unknown[] => typeof value === "object" && value !== null;

const isSecret = (value: unknown): value is Plain & { value?: unknown; plaintext?: string } =>
  isObject(value) && !Array.isArray(value) && value[signature] === secretMark;

export interface Unwrapped {
  readonly value: unknown;
  /** Where secrets stood, so that the marks can be put back. */
  readonly secretPaths: readonly Path[];
}

/**
 * Takes secret marks off, as they come over gRPC (`value`) or in `stack export --show-secrets` (`plaintext`).
 */
export function unwrap(wrapped: unknown): Unwrapped {
  const secretPaths: Path[] = [];
  const plain = (value: unknown, path: Path): unknown => {
    if (isSecret(value)) {
      secretPaths.push(path);
      return plain(value.plaintext === undefined ? value.value : JSON.parse(value.plaintext), path);
    }
    if (Array.isArray(value)) return value.map((item, i) => plain(item, [...path, i]));
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, plain(inner, [...path, key])]),
    );
  };
  return { value: plain(wrapped, []), secretPaths };
}

/** Puts secret marks back where they stood; a path that is not there any more needs none. */
export function wrap(value: unknown, secretPaths: readonly Path[]): unknown {
  if (secretPaths.some((path) => path.length === 0)) return { [signature]: secretMark, value };
  if (!isObject(value)) return value;
  const inner = (key: string | number) =>
    secretPaths.filter((path) => String(path[0]) === String(key)).map((path) => path.slice(1));
  if (Array.isArray(value)) return value.map((item, i) => wrap(item, inner(i)));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wrap(item, inner(key))]));
}

/** Paths that lie at or below an unknown value. */
export function unknownPaths(value: unknown, path: Path = []): readonly Path[] {
  if (value === unknownMark) return [path];
  if (Array.isArray(value)) return value.flatMap((item, i) => unknownPaths(item, [...path, i]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => unknownPaths(inner, [...path, key]));
}

/** Whether a path is a secret, lies in one or holds one. */
export function touchesSecret(path: Path, secretPaths: readonly Path[]): boolean {
  return secretPaths.some((secret) => {
    const depth = Math.min(secret.length, path.length);
    return secret.slice(0, depth).every((part, i) => String(part) === String(path[i]));
  });
}
