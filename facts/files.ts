import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

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

/** Three processes for any number of paths; `%f` is the raw mode in hex. An empty record parts the three answers. */
const look = (paths: readonly string[]) => sh`stat --printf='%f %U:%G %s %n\\0' -- ${paths} 2>/dev/null
printf '\\0\\0'; readlink -z -- ${paths} 2>/dev/null
printf '\\0\\0'; sha256sum -z -- ${paths} 2>/dev/null; exit 0`;

function parseEntries(stdout: string): ReadonlyMap<string, Entry> {
  const [stats = "", links = "", sums = ""] = stdout.split("\0\0").map((part) => part.replace(/^\0+/, ""));
  const targets = records(links)[Symbol.iterator]();
  const hashes = new Map(records(sums).map((record) => [record.slice(66), record.slice(0, 64)]));
  return new Map(
    records(stats).map((record) => {
      const [raw = "0", owner = "", size = "0", ...name] = record.split(" ");
      const path = name.join(" ");
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
}

/** What stands at each of the paths, symlinks not followed; a path with nothing there is not in the answer. */
export function entries(paths: readonly string[]): Fact<ReadonlyMap<string, Entry>> {
  return {
    name: "files",
    command: look(paths),
    timeoutSeconds: 60,
    parse: ({ stdout }) => parseEntries(stdout),
  };
}

/** Whole content of regular files, by path. */
export function contents(paths: readonly string[]): Fact<ReadonlyMap<string, Buffer>> {
  return {
    name: "file contents",
    command: sh`for file in ${paths}; do base64 -w0 -- "$file" 2>/dev/null; echo; done`,
    parse: ({ stdout }) => {
      const lines = stdout.split("\n");
      return new Map(paths.map((path, i) => [path, Buffer.from(lines[i] ?? "", "base64")]));
    },
  };
}
