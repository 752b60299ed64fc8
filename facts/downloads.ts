import { script, sh, shellScript } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** One entry of a folder, as `find` sees it. */
export interface Listed {
  /** `f` file, `d` folder, `l` symlink, as in `find -printf %y`. */
  readonly type: string;
  /** Octal. */
  readonly mode: string;
  /** Numbers: `0:0`. */
  readonly owner: string;
  /** Size in bytes, mtime, inode and, in newer records, ctime; empty for folders. */
  readonly stamp: string;
  /** Target of a symlink. */
  readonly target: string;
}

/**
 * Where a folder is no longer what the record says; one side is absent where an entry is missing or was
 * added.
 */
interface Difference {
  then?: Listed;
  now?: Listed;
}

export interface Downloaded {
  /** Whether the folder is there. */
  readonly present: boolean;
  /** First line of the record, which says what was put there; `undefined` without a record. */
  readonly record: string | undefined;
  /** By path below the folder (`.` is the folder itself); at most some hundred. */
  readonly differences: ReadonlyMap<string, Difference>;
  /** Files that look as they were put there and hold something else. */
  readonly changed: readonly string[];
  /** Bytes of what is half done. */
  readonly unfinished: number;
  /** Generations beside this one: folder name → bytes on disk. */
  readonly others: ReadonlyMap<string, number>;
}

/**
 * `entries` prints all below the working directory, one line each, sorted; its parameter is ` %C@` for the
 * ctime, which newer records hold.
 */
const entries = sh`entries() {
  find . -type d -printf '%y\\t%m\\t%U:%G\\t\\t\\t%p\\n' -o -printf "%y\\t%m\\t%U:%G\\t%s %T@ %i$1\\t%l\\t%p\\n" | LC_ALL=C sort
}`;

/**
 * Everything below the working directory, as a record has it and {@link downloaded} compares it: the entries,
 * then the hash of each file. Nothing may be done to the files afterwards; moving the folder is fine.
 */
export const listing = sh`${entries}
entries ' %C@'
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum | sed 's/^\\([0-9a-f]*\\)  /sum\\t\\1\\t/'`;

const comparison = script(import.meta.url, "./downloads.sh");

/**
 * A folder beside the record of what was put there. Only lines that differ travel. Files that somebody touched
 * and that look the same are hashed; a deep look hashes all. Records of older releases hold no hashes.
 * @param places.unfinished folders of work that is not done
 */
export const downloaded = (
  places: {
    readonly folder: string;
    readonly record: string;
    readonly unfinished: readonly string[];
  },
  deep = false,
): Fact<Downloaded> => ({
  name: `download in ${places.folder}`,
  command: sh`${entries}
${shellScript(comparison, [places.folder, places.record, deep ? 1 : 0, ...places.unfinished])}`,
  timeoutSeconds: deep ? 3600 : 60,
  parse: (finished) => {
    const lines = linesOf(finished).filter((line) => line !== "");
    for (const line of lines) partsOf(line, answerLine, "what was asked");
    if (lines.length === 0) throw new Error("the answer is empty");
    const of = (kind: string) =>
      lines.filter((line) => line.startsWith(`${kind}\t`)).map((line) => line.slice(kind.length + 1));
    const generations = of("generation").map((line) => line.split("\t"));
    const own = places.folder.split("/").at(-1);
    return {
      present: lines.includes("present"),
      record: of("record")[0],
      differences: differencesOf(of("differs")),
      changed: of("changed").map((path) => path.replace(/^\.\//, "")),
      unfinished: Number(of("unfinished")[0] ?? 0),
      others: new Map(
        generations.filter(([name]) => name !== own).map(([name = "", bytes]) => [name, Number(bytes)]),
      ),
    };
  },
});

const answerLine =
  /^(present|record\t.*|changed\t.+|differs\t>?[a-zA-Z]\t[0-7]+\t\d+:\d+\t[^\t]*\t[^\t]*\t.+|unfinished\t\d*|generation\t[^\t]+\t\d*|owner\t\{.*\})$/;

function differencesOf(lines: readonly string[]): ReadonlyMap<string, Difference> {
  const differences = new Map<string, Difference>();
  for (const line of lines) {
    const now = line.startsWith(">");
    const [type = "", mode = "", owner = "", stamp = "", target = "", ...rest] = line
      .slice(now ? 1 : 0)
      .split("\t");
    const path = rest.join("\t").replace(/^\.\//, "");
    const difference = differences.get(path) ?? {};
    difference[now ? "now" : "then"] = { type, mode, owner, stamp, target };
    differences.set(path, difference);
  }
  return differences;
}
