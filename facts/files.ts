import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { base64, linesOf, partsOf, refuseFailure } from "./lines.ts";

/** What stands at a path. */
export interface Entry {
  readonly type: "file" | "directory" | "symlink" | "other";
  /** Four octal digits. */
  readonly mode: string;
  /** `user:group`; `UNKNOWN` where the machine has no name for the number. */
  readonly owner: string;
  /** Bytes. */
  readonly size: number;
  /** Of a regular file. */
  readonly sha256?: string;
  /** Target of a symlink. */
  readonly target?: string;
}

const typeBits = 0o170000;
const types = new Map<number, Entry["type"]>([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
]);

const records = (text: string): string[] => text.split("\0").filter((record) => record !== "");

/**
 * Three processes for any number of paths; `%f` is the raw mode in hex. An empty record parts the three
 * answers.
 */
const look = (paths: readonly string[]) => sh`stat --printf='%f %U:%G %s %n\\0' -- ${paths} 2>/dev/null
printf '\\0\\0'; readlink -z -- ${paths} 2>/dev/null
printf '\\0\\0'; sha256sum -z -- ${paths} 2>/dev/null; exit 0`;

/**
 * A user or a group may hold blanks (`domain users`), and so may a path; only the path begins with a slash.
 */
const stated = /^([0-9a-f]{1,8}) ([^:]+:.+?) (\d+) (\/[\s\S]*)$/;
const hashed = /^([0-9a-f]{64}) {2}(\/[\s\S]*)$/;

function parseEntries(finished: Finished): ReadonlyMap<string, Entry> {
  refuseFailure(finished);
  const answers = finished.stdout.split("\0\0").map((part) => part.replace(/^\0+/, ""));
  const [stats = "", links = "", sums = ""] = answers;
  if (answers.length !== 3 || !finished.stdout.endsWith("\0")) throw new Error("the answer is not whole");
  const targets = records(links)[Symbol.iterator]();
  const hashes = new Map(
    records(sums).map((record) => {
      const [hash = "", path = ""] = partsOf(record, hashed, "a hash");
      return [path, hash];
    }),
  );
  const found = new Map(
    records(stats).map((record) => {
      const [raw = "", owner = "", size = "", path = ""] = partsOf(record, stated, "a file");
      const bits = Number.parseInt(raw, 16);
      const type = types.get(bits & typeBits) ?? "other";
      const hash = hashes.get(path);
      const entry: Entry = {
        type,
        mode: (bits & 0o7777).toString(8).padStart(4, "0"),
        owner,
        size: Number(size),
        ...(type === "file" && hash ? { sha256: hash } : {}),
        // readlink prints a line for symlinks only, in the order they were asked
        ...(type === "symlink" ? { target: targets.next().value ?? "" } : {}),
      };
      return [path, entry];
    }),
  );
  const symlinks = [...found.values()].filter(({ type }) => type === "symlink").length;
  if (records(links).length !== symlinks)
    throw new Error(`${records(links).length} targets of ${symlinks} symlinks`);
  return found;
}

/**
 * What stands at each of the paths, symlinks not followed; a path with nothing there is not in the answer.
 */
export function entries(paths: readonly string[]): Fact<ReadonlyMap<string, Entry>> {
  return {
    name: "files",
    command: look(paths),
    timeoutSeconds: 60,
    parse: parseEntries,
  };
}

/** Whole content of regular files, by path. */
export function contents(paths: readonly string[]): Fact<ReadonlyMap<string, Buffer>> {
  return {
    name: "file contents",
    command: sh`for file in ${paths}; do base64 -w0 -- "$file" 2>/dev/null; echo; done`,
    parse: (finished) => {
      const lines = linesOf(finished).map((line) => partsOf(line, base64, "a file's content")[0] ?? "");
      if (lines.length !== paths.length) throw new Error(`${lines.length} lines for ${paths.length} files`);
      return new Map(paths.map((path, i) => [path, Buffer.from(lines[i] ?? "", "base64")]));
    },
  };
}
