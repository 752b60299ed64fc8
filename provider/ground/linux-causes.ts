import { dirname } from "node:path/posix";
import { type FileSystem, fileSystems } from "#facts/file-systems.ts";
import { libc } from "#facts/libc.ts";
import { lockedPaths } from "#facts/lsattr.ts";
import { osRelease } from "#facts/os-release.ts";
import { sh, shownCommand } from "#transport/command.ts";
import type { Host } from "#transport/host.ts";
import type { Cause } from "./ground.ts";
import { memoryCause } from "./memory-causes.ts";

/** Where steps write beside the path that an error names. */
const usual = [
  "/",
  "/etc",
  "/usr",
  "/var",
  "/var/lib/gpu-hosts",
  "/var/lib/dpkg",
  "/var/cache/apt/archives",
  "/tmp",
];

const readOnlyWords = /read-only file system/i;
const fullWords = /no space left|not enough (free )?(room|space)|enough free space|quota exceeded/i;
/** All that dash's own commands say of either. */
const vagueWords = /(printf|echo|write error).*I\/O error/i;

/** Absolute paths that an error names. */
const pathsIn = (text: string) =>
  [...text.matchAll(/(?<=^|[\s'"`(=])(\/[\w.+@~-]+)+/gm)].map(([path]) => path).slice(0, 12);

const shownBytes = (bytes: number) => {
  const [unit, name] =
    bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return `${bytes >= 1e3 ? (bytes / unit).toFixed(1) : bytes} ${name}`;
};

function shownRoom({ target, source, free, size, freeInodes }: FileSystem): string {
  const files = freeInodes === 0 ? ", and no file can be made on it (inodes)" : "";
  return `${target} (${source}) has ${shownBytes(free)} free of ${shownBytes(size)}${files}`;
}

/** Below this share, or below 20 MB, a file system counts as full. */
const fullShare = 0.02;
const isFull = ({ free, size, freeInodes }: FileSystem) =>
  free < Math.max(20e6, size * fullShare) || freeInodes === 0;

function readOnlyCause(seen: readonly FileSystem[]): Cause | undefined {
  const them = seen.filter(({ readOnly }) => readOnly);
  if (them.length === 0) return undefined;
  const targets = them.map(({ target }) => target);
  return {
    found: them.map(({ target, source, type }) => `${target} (${type} on ${source}) is mounted read-only`),
    hint:
      "the kernel does this after errors of a disk: look at `journalctl -k` there and at the disk's health, repair it (fsck, reboot);\n" +
      `where the disk is sound: mount -o remount,rw ${targets.join(" ")}. Then run \`up\` again`,
  };
}

function fullCause(seen: readonly FileSystem[]): Cause | undefined {
  const full = seen.filter((one) => !one.readOnly && isFull(one));
  if (full.length === 0) return undefined;
  return {
    found: full.map(shownRoom),
    hint:
      "make room there (apt-get clean; journalctl --vacuum-size=200M; models nobody serves in /var/lib/gpu-hosts/models)\n" +
      "or mount a larger disk. Then run `up` again",
  };
}

/** What the dynamic linker says of a program that is built for a newer system. */
const newerWords = /version `?'?((?:GLIBC|GLIBCXX|CXXABI|GOMP|OPENSSL)_[\d.]+)' not found/g;
/** … and of one whose library is not there. */
const missingWords = /error while loading shared libraries: (\S+): cannot open shared object file/g;

const all = (text: string, words: RegExp) => [
  ...new Set([...text.matchAll(words)].flatMap(([, found]) => (found === undefined ? [] : [found]))),
];

/** A program that does not start on this system at all. */
async function loaderCause(text: string, host: Host): Promise<Cause | undefined> {
  const [newer, missing] = [all(text, newerWords), all(text, missingWords)];
  if (newer.length === 0 && missing.length === 0) return undefined;
  const [system, here] = await Promise.all([host.ask(osRelease), host.ask(libc)]);
  if (newer.length > 0)
    return {
      found: [`it was built for a newer system: it needs ${newer.join(", ")}; ${system.name} has ${here}`],
      hint:
        "take programs that were built for this system: of a service, another `build` (`source` compiles it here, `packages` are the\n" +
        "distribution's, another `release` may be older); or bring the machine to a newer system. Then run `up` again",
    };
  return {
    found: [`${system.name} here does not have ${missing.join(", ")}, which it needs`],
    hint: "install the package that has it (base.packages; `apt-file search` finds its name). Then run `up` again",
  };
}

/**
 * Looks at the machine for what the words of a failure point to: a file system that is read-only or full, a
 * program that was built for another system, a file that is immutable, a GPU whose memory does not do.
 * `undefined` where they point to nothing of the kind, or where it is not so.
 *
 * @param path the path that the step is about, if it is about one
 */
export async function causeOf(text: string, host: Host, path?: string): Promise<Cause | undefined> {
  return (
    (await fileSystemCause(text, host, path)) ??
    (await loaderCause(text, host)) ??
    (await attributeCause(text, host, path)) ??
    memoryCause(text)
  );
}

const attributeWords = { i: "is immutable", a: "is append-only" } as const;

/** A file, or a folder, that not even root may change. */
async function attributeCause(text: string, host: Host, path?: string): Promise<Cause | undefined> {
  if (!/operation not permitted/i.test(text)) return undefined;
  // dpkg names paths from the root on, with a dot before them.
  const named = [...(path === undefined ? [] : [path]), ...pathsIn(text.replaceAll("'./", "'/"))];
  const locked = await host.ask(lockedPaths([...new Set(named.flatMap((one) => [one, dirname(one)]))]));
  if (locked.length === 0) return undefined;
  return {
    found: locked.map((one) => `${one.path} ${attributeWords[one.attribute]} (chattr +${one.attribute})`),
    hint: `somebody locked it on purpose: ask who, or take the lock off there:\n${locked
      .map((one) => `  ${shownCommand(sh`chattr ${`-${one.attribute}`} ${one.path}`)}`)
      .join("\n")}\nThen run \`up\` again`,
  };
}

async function fileSystemCause(text: string, host: Host, path?: string): Promise<Cause | undefined> {
  const vague = vagueWords.test(text);
  const readOnly = vague || readOnlyWords.test(text);
  const full = vague || fullWords.test(text);
  if (!readOnly && !full) return undefined;
  const paths = [...new Set([...(path === undefined ? [] : [path]), ...pathsIn(text), ...usual])];
  const seen = await host.ask(fileSystems(paths));
  return (readOnly ? readOnlyCause(seen) : undefined) ?? (full ? fullCause(seen) : undefined);
}
