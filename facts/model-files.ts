import { raw, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** A file beside the stamp that was written when its hash was last verified. */
export interface StampedFile {
  /** Bytes; `undefined` if there is no such file. */
  readonly size: number | undefined;
  /** Hash found when it was verified, and whether size, mtime and inode are still those of then. */
  readonly verified: { readonly sha256: string; readonly untouched: boolean } | undefined;
  /** Bytes that are here of a file that is being fetched, or was; `undefined` if it is none. */
  readonly unfinished: number | undefined;
}

export interface Generations {
  readonly files: ReadonlyMap<string, StampedFile>;
  /** Every generation beside this one, itself included: folder name → bytes on disk. */
  readonly generations: ReadonlyMap<string, number>;
}

/** Where {@link stampedFiles} looks. */
export interface StampedPlaces {
  /** Of this generation; its neighbours are the others. */
  readonly folder: string;
  /** Folder of the stamps, with the same names in it. */
  readonly stamps: string;
  /** Folder of the files that are not complete, with the same names in it. */
  readonly partials: string;
  /** Shell pattern for the units that fetch them. */
  readonly units: string;
}

/**
 * Files of one generation and their stamps, and which generations there are. Nothing is hashed: a model of 40
 * GB would take minutes. A stamp is `<size> <mtime> <inode> <sha256>`. Of a file that is not there, what is
 * here of it; while it is being fetched that may be nothing yet.
 */
export const stampedFiles = (
  { folder, stamps, partials, units }: StampedPlaces,
  names: readonly string[],
): Fact<Generations> => ({
  name: `model files in ${folder}`,
  command: sh`begun=
for u in /run/systemd/transient/${raw(units)}.service; do [ ! -e "$u" ] || begun=0; done
for f in ${names}; do
  now=$(stat -c '%s %.9Y %i' -- ${folder}/"$f" 2>/dev/null) && part= || part=$(stat -c %s -- ${partials}/"$f" 2>/dev/null || echo $begun)
  printf 'file\t%s\t%s\t%s\t%s\n' "$f" "$now" "$(cat -- ${stamps}/"$f" 2>/dev/null)" "$part"
done
for g in ${folder.replace(/\/[^/]+$/, "")}/*/; do [ -d "$g" ] && printf 'generation\t%s\t%s\n' "$(basename -- "$g")" "$(du -sB1 -- "$g" | cut -f1)"; done; true`,
  parse: (finished) => {
    const files = new Map<string, StampedFile>();
    const generations = new Map<string, number>();
    for (const line of linesOf(finished)) {
      if (!answerLine.test(line)) throw new Error(`not the line of a file or a generation: ${line}`);
      const [kind, name = "", third = "", stamp = "", part = ""] = line.split("\t");
      if (kind === "generation") generations.set(name, Number(third));
      if (kind === "file") files.set(name, stampedFile(third, stamp, part));
    }
    const untold = names.find((name) => !files.has(name));
    if (untold !== undefined) throw new Error(`nothing was said of ${untold}`);
    return { files, generations };
  },
});

const answerLine = /^(file\t[^\t]+\t(\d+( [\d.]+)+)?\t[^\t]*(\t\d*)?|generation\t[^\t]+\t\d*)$/;

function stampedFile(now: string, stamp: string, part: string): StampedFile {
  const unfinished = part === "" ? undefined : Number(part);
  if (now === "") return { size: undefined, verified: undefined, unfinished };
  const [, then, sha256] = /^(.*) ([0-9a-f]{64})$/.exec(stamp) ?? [];
  const verified = sha256 === undefined ? undefined : { sha256, untouched: then === now };
  return { size: Number(now.split(" ")[0]), verified, unfinished };
}
