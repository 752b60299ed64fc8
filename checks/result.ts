import type { ShownChange } from "#provider/converge/change-text.ts";

/** `unknown`: nobody could look, which is neither good nor bad. */
export type Verdict = "good" | "bad" | "unknown";

/** What was found out about one thing on one host. */
export interface Result {
  readonly host: string;
  /** What was looked at, in the operator's words; the name in the stack where there is one. */
  readonly name: string;
  /** Kind of thing: a resource type or a kind of test. */
  readonly type: string;
  readonly verdict: Verdict;
  /** One word or two for the verdict: `in sync`, `drifted`, `passed`. */
  readonly label: string;
  /** Why; each entry a line, secrets masked. */
  readonly details: readonly string[];
  readonly changes?: readonly ShownChange[];
  readonly seconds?: number;
}

/** What came of one test; `ok` undefined if nobody could look. */
export interface Outcome {
  readonly ok: boolean | undefined;
  /** One line: what was seen. */
  readonly text: string;
}

/** One test, before it is made. */
export interface Test {
  readonly host: string;
  readonly name: string;
  readonly type: string;
  /** Takes secrets out of what was seen. */
  readonly mask: (text: string) => string;
  run(): Promise<Outcome>;
}

/** Results of one command over one stack. */
export interface Report {
  readonly command: "drift" | "verify";
  readonly stack: string;
  readonly results: readonly Result[];
}

/** Results by host, hosts in the order of their first result. */
export function byHost(results: readonly Result[]): ReadonlyMap<string, readonly Result[]> {
  return Map.groupBy(results, (result) => result.host);
}

/** How often each label occurs, such as `12 in sync, 1 drifted`. */
export function summary(results: readonly Result[]): string {
  const counts = [...Map.groupBy(results, (result) => result.label)];
  return counts.map(([label, of]) => `${of.length} ${label}`).join(", ") || "nothing is deployed";
}

/** `drift`: 0 in sync, 2 drifted or not finished, 3 could not look somewhere. `verify`: 0 all passed, else 1. */
export function exitCode({ command, results }: Report): 0 | 1 | 2 | 3 {
  const some = (verdict: Verdict) => results.some((result) => result.verdict === verdict);
  if (command === "verify") return some("bad") || some("unknown") ? 1 : 0;
  if (some("unknown")) return 3;
  return some("bad") ? 2 : 0;
}
