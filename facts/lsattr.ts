import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** What even root may not do with a file or a folder until the attribute is taken off (chattr(1)). */
export interface Locked {
  readonly path: string;
  /** `i`: immutable; `a`: nothing in it may be changed, only something added. */
  readonly attribute: "i" | "a";
}

/**
 * Which of some paths are locked by an attribute. A path that is not there, or on a file system without
 * attributes, is not.
 */
export const lockedPaths = (paths: readonly string[]): Fact<readonly Locked[]> => ({
  name: "lsattr",
  command: sh`for path in ${paths}; do
  [ ! -e "$path" ] || lsattr -d -- "$path"
done 2>/dev/null
exit 0`,
  timeoutSeconds: 10,
  parse: (finished) =>
    linesOf(finished).flatMap((line) => {
      const [attributes = "", path = ""] = partsOf(line, /^([A-Za-z-]+) (\/.*)$/, "a file's attributes");
      const [attribute] = (["i", "a"] as const).filter((letter) => attributes.includes(letter));
      return attribute === undefined ? [] : [{ path, attribute }];
    }),
});
