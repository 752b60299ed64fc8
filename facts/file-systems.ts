import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** The file system on which a path lies or would lie. */
export interface FileSystem {
  /** Where it is mounted. */
  readonly target: string;
  /** Device, or what stands in for one. */
  readonly source: string;
  readonly type: string;
  readonly readOnly: boolean;
  /** Bytes in all, and those that are left to users. */
  readonly size: number;
  readonly free: number;
  /** Files that can still be made; `undefined` where the file system does not count them. */
  readonly freeInodes: number | undefined;
}

/**
 * Bytes that are no plain character come escaped, each for itself: a space as `\\x20`, an é as `\\xc3\\xa9`,
 * older ones as `\\040`.
 */
function unescaped(text: string): string {
  const bytes = Buffer.from(text).toString("latin1");
  const plain = bytes.replaceAll(/\\(?:x([0-9a-f]{2})|([0-3][0-7]{2}))/g, (_, hex?: string, octal?: string) =>
    String.fromCharCode(hex === undefined ? Number.parseInt(octal ?? "", 8) : Number.parseInt(hex, 16)),
  );
  return Buffer.from(plain, "latin1").toString();
}

const form = /^(\/\S*) (\S+) (\S+) (ro|rw) (\d+ \d+ \d+ \d+ \d+)$/;

function parseFileSystem(line: string): FileSystem {
  const [target = "", source = "", type = "", mode = "", counts = ""] = partsOf(line, form, "a file system");
  const [unit = 0, blocks = 0, available = 0, inodes = 0, freeInodes = 0] = counts.split(" ").map(Number);
  return {
    target: unescaped(target),
    source: unescaped(source),
    type,
    readOnly: mode === "ro",
    size: unit * blocks,
    free: unit * available,
    freeInodes: inodes === 0 ? undefined : freeInodes,
  };
}

/**
 * The file systems of some paths, each once, in their order; of a path that is not there, that of the folder
 * it would be in.
 */
export const fileSystems = (paths: readonly string[]): Fact<readonly FileSystem[]> => ({
  name: "file systems",
  command: sh`for path in ${paths}; do
  while [ ! -e "$path" ]; do path=$(dirname -- "$path"); done
  # Root may write everywhere but on a read-only file system, whichever of its options say so.
  mode=ro; [ -w "$path" ] && mode=rw
  echo "$(findmnt -nro TARGET,SOURCE,FSTYPE --target "$path" | tail -n 1) $mode $(stat -f -c '%S %b %a %c %d' -- "$path")"
done`,
  timeoutSeconds: 10,
  parse: (finished) => {
    const found = linesOf(finished).map(parseFileSystem);
    // What is free may change between two looks at the same one.
    return [...new Map(found.map((one) => [one.target, one])).values()];
  },
});
