import { raw, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** A file beside the stamp that was written when its hash was last verified. */
export interface StampedFile {
  /** Bytes; `undefined` if there is no such file. */
  readonly size: number | undefined;
  /** Hash that its stamp or this look found, and how the file stands to it. */
  readonly verified: { readonly sha256: string; readonly since: Since } | undefined;
  /** Bytes that are here of a file that is being fetched, or was; `undefined` if it is none. */
  readonly unfinished: number | undefined;
}

/**
 * `untouched`: it has that hash. `touched`: somebody did something to it that left size, mtime and inode as
 * they were, such as chown, or a write with the times put back; what it holds was not looked at. `changed`: it
 * is another file.
 */
type Since = "untouched" | "touched" | "changed";

/** Those that were touched and are not larger are hashed in every look: a second or two. */
const hashedSize = 2 ** 30;

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
 * Files of one generation and their stamps, and which generations there are. A model of 40 GB takes minutes to
 * hash: only a deep look does that, and a small file is hashed that was touched. A stamp is `<size> <mtime>
 * <inode> <ctime> <sha256>`; older ones have no ctime. Of a file that is not there, what is here of it; while
 * it is being fetched that may be nothing yet.
 */
export const stampedFiles = (
  { folder, stamps, partials, units }: StampedPlaces,
  names: readonly string[],
  deep = false,
): Fact<Generations> => ({
  name: `model files in ${folder}`,
  timeoutSeconds: deep ? 4 * 3600 : 60,
  command: sh`begun= deep=${deep ? 1 : 0}
touched() { # NOW STAMP: the same but for the ctime
  [ "\${1% *}" = "$(printf '%s
' "$2" | cut -d' ' -f1-3)" ] && [ "$1" != "\${2% *}" ] && [ "$(printf '%s
' "$2" | wc -w)" = 5 ] && [ "\${1%% *}" -le ${hashedSize} ]
}
for u in /run/systemd/transient/${raw(units)}.service; do [ ! -e "$u" ] || begun=0; done
for f in ${names}; do
  now=$(stat -c '%s %.9Y %i %.9Z' -- ${folder}/"$f" 2>/dev/null) && part= || part=$(stat -c %s -- ${partials}/"$f" 2>/dev/null || echo $begun)
  stamp=$(cat -- ${stamps}/"$f" 2>/dev/null) hash=
  if [ -n "$now" ] && { [ $deep = 1 ] || touched "$now" "$stamp"; }; then hash=$(sha256sum < ${folder}/"$f" | cut -d' ' -f1); fi
  printf 'file\t%s\t%s\t%s\t%s\t%s\n' "$f" "$now" "$stamp" "$part" "$hash"
done
for g in ${folder.replace(/\/[^/]+$/, "")}/*/; do [ -d "$g" ] && printf 'generation\t%s\t%s\n' "$(basename -- "$g")" "$(du -sB1 -- "$g" | cut -f1)"; done; true`,
  parse: (finished) => {
    const files = new Map<string, StampedFile>();
    const generations = new Map<string, number>();
    for (const line of linesOf(finished)) {
      if (!answerLine.test(line)) throw new Error(`not the line of a file or a generation: ${line}`);
      const [kind, name = "", third = "", stamp = "", part = "", hash = ""] = line.split("\t");
      if (kind === "generation") generations.set(name, Number(third));
      if (kind === "file") files.set(name, stampedFile(third, stamp, part, hash));
    }
    const untold = names.find((name) => !files.has(name));
    if (untold !== undefined) throw new Error(`nothing was said of ${untold}`);
    return { files, generations };
  },
});

const answerLine =
  /^(file\t[^\t]+\t(\d+( [\d.]+)+)?\t[^\t]*(\t\d*(\t([0-9a-f]{64})?)?)?|generation\t[^\t]+\t\d*)$/;

function stampedFile(now: string, stamp: string, part: string, hash: string): StampedFile {
  const unfinished = part === "" ? undefined : Number(part);
  if (now === "") return { size: undefined, verified: undefined, unfinished };
  const size = Number(now.split(" ")[0]);
  if (hash !== "") return { size, verified: { sha256: hash, since: "untouched" }, unfinished };
  const [, then = "", sha256] = /^(.*) ([0-9a-f]{64})$/.exec(stamp) ?? [];
  const verified = sha256 === undefined ? undefined : { sha256, since: sinceThen(now, then) };
  return { size, verified, unfinished };
}

function sinceThen(now: string, then: string): Since {
  const [seen, known] = [now.split(" "), then.split(" ")];
  const differs = known.findIndex((part, i) => part !== seen[i]);
  if (differs === -1) return "untouched";
  return differs === 3 ? "touched" : "changed";
}
