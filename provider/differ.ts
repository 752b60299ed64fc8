import { compare, pathText } from "./compare.ts";
import type { AnyDefinition, Change, Config } from "./resource.ts";

/** One key of a Pulumi detailed diff. */
export interface DetailedChange {
  readonly key: string;
  /** The top-level input it lies in; what Pulumi lists as `[diff: ~files]`. */
  readonly input: string;
  readonly kind: Change["kind"];
  readonly replaces: boolean;
}

export interface Olds {
  readonly host: string;
  /** Old inputs: what was declared, or after a refresh what was seen. */
  readonly inputs: Config;
  /** The wants last performed, when they are known. */
  readonly applied: Config | undefined;
}

/**
 * What `up` would change, told from state alone. Both the old inputs and what was last applied count: after a refresh the
 * inputs are reality, and an item that vanished from both program and host is still to be released.
 */
export function differ(
  definition: AnyDefinition,
  olds: Olds,
  news: { readonly host: string; readonly inputs: Config },
): readonly DetailedChange[] {
  const changes = [...compare(definition, news.inputs, olds.inputs)];
  if (olds.applied) changes.push(...compare(definition, news.inputs, olds.applied));
  const identity = new Set<string | number>(definition.identity);
  const keys = new Map<string, DetailedChange>();
  for (const { path, kind } of changes) {
    const key = pathText(path);
    if (!keys.has(key))
      keys.set(key, { key, input: String(path[0] ?? ""), kind, replaces: identity.has(path[0] ?? "") });
  }
  if (olds.host !== news.host)
    keys.set("host", { key: "host", input: "host", kind: "update", replaces: true });
  return [...keys.values()];
}
