import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { partsOf, refuseFailure } from "./lines.ts";

/** What a check left on its host when it passed. */
export interface CheckRecord {
  /** Seconds since 1970, by the host's clock. */
  readonly at: number;
  /** As it was written; `undefined` if the file holds no JSON any more. */
  readonly passed: unknown;
}

/** The record at a path; `undefined` if there is none. */
export const checkRecord = (path: string): Fact<CheckRecord | undefined> => ({
  name: `record ${path}`,
  command: sh`[ ! -f ${path} ] || { stat -c %Y -- ${path} && cat -- ${path}; }`,
  parse: (finished) => {
    refuseFailure(finished);
    const { stdout } = finished;
    if (stdout === "") return undefined;
    const end = stdout.indexOf("\n");
    const [at] = partsOf(end < 0 ? "" : stdout.slice(0, end).trimEnd(), /^(\d+)$/, "a time");
    return { at: Number(at), passed: parsed(stdout.slice(end + 1)) };
  },
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
