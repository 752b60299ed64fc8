import { pathText } from "#inventory/problems.ts";
import type { AnyDefinition, Change, Config } from "#provider/contract/resource.ts";
import { compare } from "#provider/converge/compare.ts";
import type { StateFindings } from "./state.ts";

/** One key of a Pulumi detailed diff. */
export interface DetailedChange {
  readonly key: string;
  /** The top-level input it lies in; what Pulumi lists as `[diff: ~files]`. */
  readonly input: string;
  readonly kind: Exclude<Change["kind"], "finding">;
  readonly replaces: boolean;
  /** Found in the outputs: nothing of the inputs differs. */
  readonly isOutput?: boolean;
}

/** A resource as the state has it. */
export interface Olds {
  readonly host: string;
  /** Old inputs: what was declared, or after a refresh what was seen. */
  readonly inputs: Config;
  /** The wants last performed, when they are known. */
  readonly applied: Config | undefined;
  /** What the last read found wrong on the host. */
  readonly findings?: StateFindings;
}

/**
 * What `up` would change, told from state alone. Both the old inputs and what was last applied count: after a
 * refresh the inputs are reality, and an item that vanished from both program and host is still to be
 * released. Reality alone replaces nothing: what is gone or changed by hand is repaired in its place, and the
 * removal of an "old" one would take that away.
 */
export function differ(
  definition: AnyDefinition,
  olds: Olds,
  news: { readonly host: string; readonly inputs: Config },
): readonly DetailedChange[] {
  const seen = compare(news.inputs, { config: olds.inputs });
  const wished = olds.applied ? compare(news.inputs, { config: olds.applied }) : seen;
  const identity = new Set<string | number>(definition.identity);
  const replacing = new Set(
    wished.filter(({ path }) => identity.has(path[0] ?? "")).map(({ path }) => pathText(path)),
  );
  const keys = new Map<string, DetailedChange>();
  for (const { path, kind } of [...seen, ...wished]) {
    const key = pathText(path);
    if (kind !== "finding" && !keys.has(key))
      keys.set(key, { key, input: String(path[0] ?? ""), kind, replaces: replacing.has(key) });
  }
  for (const path of Object.keys(olds.findings ?? {})) {
    const key = pathText(["findings", path]);
    keys.set(key, { key, input: "findings", kind: "delete", replaces: false, isOutput: true });
  }
  if (olds.host !== news.host)
    keys.set("host", { key: "host", input: "host", kind: "update", replaces: true });
  return [...keys.values()];
}
