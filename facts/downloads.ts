import { sh } from "#transport/command.ts";
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

/** All entries below the working directory, one line each, sorted; `ctime` is in newer records only. */
const entries = (ctime: "" | " %C@") =>
  sh`find . -type d -printf '%y\\t%m\\t%U:%G\\t\\t\\t%p\\n' -o -printf ${`%y\\t%m\\t%U:%G\\t%s %T@ %i${ctime}\\t%l\\t%p\\n`} | LC_ALL=C sort`;

/**
 * Everything below the working directory, as a record has it and {@link downloaded} compares it: the entries,
 * then the hash of each file. Nothing may be done to the files afterwards; moving the folder is fine.
 */
export const listing = sh`${entries(" %C@")}
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum | sed 's/^\\([0-9a-f]*\\)  /sum\\t\\1\\t/'`;

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
  command: sh`d=${places.folder} r=${places.record} tab=$(printf '\\t')
entries() { if grep -q "^sum$tab" "$r"; then ${entries(" %C@")}; else ${entries("")}; fi; }
[ -d "$d" ] && echo present
[ -f "$r" ] && printf 'record\\t%s\\n' "$(head -n 1 -- "$r")"
if [ -d "$d" ] && [ -f "$r" ]; then
  lines=$( (cd "$d" && entries) | { exec 3<&0; tail -n +2 -- "$r" | grep -v "^sum$tab" | LC_ALL=C comm -3 --nocheck-order --output-delimiter='>' - /dev/fd/3; } | awk -F '\\t' '
    { now = /^>/; path = $6; for (i = 7; i <= NF; i++) path = path "\\t" $i; line[path, now] = $0; paths[path] = 1 }
    function still(text) { sub(/^>/, "", text); split(text, part, "\\t"); if (part[1] != "d") sub(/ [^ \\t]*\\t/, "\\t", text); return text }
    END { for (path in paths) {
      if ((path, 0) in line && (path, 1) in line) {
        split(line[path, 0], was, "\\t")
        if (split(was[4], stamp, " ") == 4 && still(line[path, 0]) == still(line[path, 1])) { print "touched\\t" path; continue }
      }
      for (now = 0; now < 2; now++) if ((path, now) in line) print "differs\\t" line[path, now]
    } }' | LC_ALL=C sort)
  printf '%s\\n' "$lines" | grep '^differs' | head -n 400
  { printf '%s\\n' "$lines"; grep "^sum$tab" "$r"; } | awk -F '\\t' -v deep=${deep ? 1 : 0} '
    $1 == "touched" { touched[$2] = 1 }
    $1 == "differs" { differs[$7] = 1 }
    $1 == "sum" && !($3 in differs) && (deep || $3 in touched) { print $2 "  " $3 }' |
    (cd "$d" && sha256sum --quiet -c - 2>/dev/null) | sed -n 's/^\\(.*\\): FAILED$/changed\\t\\1/p'
fi
printf 'unfinished\\t%s\\n' "$(du -scB1 -- ${places.unfinished} 2>/dev/null | tail -n 1 | cut -f1)"
for g in ${places.folder.replace(/\/[^/]+$/, "")}/*/; do [ -d "$g" ] && printf 'generation\\t%s\\t%s\\n' "$(basename -- "$g")" "$(du -sB1 -- "$g" | cut -f1)"; done; exit 0`,
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
