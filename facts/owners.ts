import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/**
 * Where a Linux host keeps its owners record: one JSON file an item, on one line that begins with the item's
 * name. Readable by root only.
 */
export const ownersFolder = "/var/lib/gpu-hosts/owners";

/** Items that somebody owns whose names begin so: which generations of a download are in use, say. */
export const ownedItems = (beginning: string): Fact<ReadonlySet<string>> => ({
  name: "owned items",
  command: sh`grep -hsF ${`"item":${JSON.stringify(beginning).slice(0, -1)}`} ${ownersFolder}/*.json; exit 0`,
  parse: (finished) =>
    new Set(
      linesOf(finished)
        .map((line) => (JSON.parse(line) as { item: string }).item)
        .filter((item) => item.startsWith(beginning)),
    ),
});
