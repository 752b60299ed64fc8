import { script, sh, shellScript } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A file of a package that is no longer as the package brought it. */
interface PackageFile {
  /**
   * `missing`: nothing stands there. `changed`: another content. `touched`: the inode was changed or replaced
   * since the package was unpacked, while the content is the same or was not looked at. That may be an owner,
   * a mode or a link: dpkg keeps no record of what those were, and a package's own scripts may have set them.
   */
  readonly state: "missing" | "changed" | "touched";
  /**
   * Whether its content was compared. Of configuration files dpkg's hash is not asked: they may be edited.
   */
  readonly hashed: boolean;
  /**
   * As it is now: `f` file, `l` symlink …, octal mode, `user:group`, target of a symlink. Not of a file that
   * is missing.
   */
  readonly now?: {
    readonly type: string;
    readonly mode: string;
    readonly owner: string;
    readonly target: string;
  };
}

/** What `dpkg --verify` would tell, and what it does not. */
export interface PackageFiles {
  /** Those of the asked packages that are installed. */
  readonly packages: ReadonlySet<string>;
  /** By path; files as they were brought are not in the answer. */
  readonly files: ReadonlyMap<string, PackageFile>;
}

const source = script(import.meta.url, "./package-files.sh");

/** Larger files are hashed only by a deep look: 64 MiB, in units of 512 bytes. */
const largeSize = 131_072;

/**
 * Files of packages that differ from what the packages brought. A cheap look finds those whose inode changed
 * after the package was unpacked, which every write, replacement, chmod and chown does even if times are put
 * back; only those are hashed. It is deceived by who turns the machine's clock back, or the time of dpkg's
 * own list on; a deep look hashes all files.
 * @public for the packages that serve: their resource does not ask yet
 */
export const packageFiles = (
  names: readonly string[],
  { deep }: { readonly deep: boolean },
): Fact<PackageFiles> => ({
  name: "files of packages",
  command: shellScript(source, [deep ? 1 : 0, largeSize, ...names]),
  timeoutSeconds: deep ? 600 : 60,
  parse: parsePackageFiles,
});

const form =
  /^(?:(package)\t([a-z0-9][a-z0-9+.-]*)|(missing|hashed|changed)\t(\/.*)|(touched)\t([a-z?])\t([0-7]+)\t([^\t]+:[^\t]+)\t([^\t]*)\t(\/.*))$/;

function parsePackageFiles(finished: Finished): PackageFiles {
  const lines = linesOf(finished).map((line) => partsOf(line, form, "a package's file"));
  const packages = new Set(lines.flatMap(([kind, name = ""]) => (kind === "package" ? [name] : [])));
  const paths = (wanted: string) => lines.flatMap(([, , kind, path = ""]) => (kind === wanted ? [path] : []));
  const hashed = new Set(paths("hashed"));
  const files = new Map<string, PackageFile>(
    paths("missing").map((path) => [path, { state: "missing", hashed: false }]),
  );
  for (const [, , , , kind, type = "", mode = "", owner = "", target = "", path = ""] of lines)
    if (kind === "touched")
      files.set(path, { state: "touched", hashed: hashed.has(path), now: { type, mode, owner, target } });
  for (const path of paths("changed"))
    files.set(path, { ...files.get(path), state: "changed", hashed: true });
  return { packages, files };
}

/** A file that dpkg puts elsewhere, so that something else can stand in its place. */
export interface Diversion {
  readonly path: string;
  /** Where the packages' file is put. */
  readonly to: string;
  /**
   * Package that may have its own file at the path; `undefined` for a local diversion, which an administrator
   * made.
   */
  readonly by: string | undefined;
}

const diversion = /^(?:local diversion of (\/.*) to (\/.*)|diversion of (\/.*) to (\/.*) by (\S+))$/;

/**
 * All diversions of a machine, those that packages make included.
 * @public for the packages that serve: their resource does not ask yet
 */
export const diversions: Fact<readonly Diversion[]> = {
  name: "dpkg-divert",
  command: sh`dpkg-divert --list`,
  parse: (finished) =>
    linesOf(finished).map((line) => {
      const [local = "", localTo = "", path = "", to = "", by] = partsOf(line, diversion, "a diversion");
      return local === "" ? { path, to, by } : { path: local, to: localTo, by: undefined };
    }),
};
