import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** A file beside the stamp that was written when its hash was last verified. */
export interface StampedFile {
  /** Bytes; `undefined` if there is no such file. */
  readonly size: number | undefined;
  /** Hash found when it was verified, and whether size, mtime and inode are still those of then. */
  readonly verified: { readonly sha256: string; readonly untouched: boolean } | undefined;
}

export interface Generations {
  readonly files: ReadonlyMap<string, StampedFile>;
  /** Every generation beside this one, itself included: folder name → bytes on disk. */
  readonly generations: ReadonlyMap<string, number>;
}

/**
 * Files of one generation and their stamps, and which generations there are. Nothing is hashed: a model of 40 GB would
 * take minutes. A stamp is `<size> <mtime> <inode> <sha256>`.
 * @param folder of this generation; its neighbours are the others
 * @param stamps folder of the stamps, with the same names in it
 */
export const stampedFiles = (
  folder: string,
  stamps: string,
  names: readonly string[],
): Fact<Generations> => ({
  name: `model files in ${folder}`,
  command: sh`for f in ${names}; do printf 'file\\t%s\\t%s\\t%s\\n' "$f" "$(stat -c '%s %.9Y %i' -- ${folder}/"$f" 2>/dev/null)" "$(cat -- ${stamps}/"$f" 2>/dev/null)"; done
for g in ${folder.replace(/\/[^/]+$/, "")}/*/; do [ -d "$g" ] && printf 'generation\\t%s\\t%s\\n' "$(basename -- "$g")" "$(du -sB1 -- "$g" | cut -f1)"; done; true`,
  parse: ({ stdout }) => {
    const files = new Map<string, StampedFile>();
    const generations = new Map<string, number>();
    for (const line of stdout.split("\n")) {
      const [kind, name = "", third = "", stamp = ""] = line.split("\t");
      if (kind === "generation") generations.set(name, Number(third));
      if (kind === "file") files.set(name, stampedFile(third, stamp));
    }
    return { files, generations };
  },
});

function stampedFile(now: string, stamp: string): StampedFile {
  if (now === "") return { size: undefined, verified: undefined };
  const [, then, sha256] = /^(.*) ([0-9a-f]{64})$/.exec(stamp) ?? [];
  const verified = sha256 === undefined ? undefined : { sha256, untouched: then === now };
  return { size: Number(now.split(" ")[0]), verified };
}
