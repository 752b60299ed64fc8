import { isDeepStrictEqual } from "node:util";
import { pathText } from "#inventory/problems.ts";
import type { Change, Config, Path } from "#provider/contract/resource.ts";
import { maskValue, type ShownChange, secretText } from "#provider/converge/change-text.ts";
import { valueAt } from "#provider/converge/compare.ts";
import { touchesSecret } from "./secrets.ts";

/**
 * Changes fit to be shown or written to a file.
 *
 * @param last what was applied before, where the wants may be others by now: tells where a change comes from
 */
export function showChanges(
  changes: readonly Change[],
  secretPaths: readonly Path[],
  mask: (text: string) => string,
  last?: Config,
): readonly ShownChange[] {
  return changes.map(({ path, kind, want, have, text }) => {
    if (text !== undefined) return { path: pathText(path), kind, text: mask(text) };
    const secret = touchesSecret(path, secretPaths);
    const shown = (value: unknown) => (secret ? secretText : maskValue(value, mask));
    const asApplied = last !== undefined && isDeepStrictEqual(valueAt(last, path), have);
    return {
      path: pathText(path),
      kind,
      ...(want === undefined ? {} : { want: shown(want) }),
      ...(have === undefined ? {} : { have: shown(have) }),
      ...(last === undefined ? {} : { origin: asApplied ? "configuration" : "host" }),
    };
  });
}
