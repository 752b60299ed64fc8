import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** Modules of the running kernel that are loaded: version by name, empty for one that has none. */
export const loadedModules = (names: readonly string[]): Fact<ReadonlyMap<string, string>> => ({
  name: "loaded modules",
  command: sh`for name in ${names}; do
[ ! -d /sys/module/$name ] || echo "$name=$(cat /sys/module/$name/version 2>/dev/null)"
done; echo end`,
  parse: (finished) => {
    const lines = linesOf(finished);
    if (lines.at(-1) !== "end") throw new Error("the list of loaded modules has no end");
    return new Map(
      lines.slice(0, -1).map((line) => {
        const [name = "", version = ""] = partsOf(line, /^([a-z]\w*)=(\S*)$/, "a module");
        return [name, version];
      }),
    );
  },
});
