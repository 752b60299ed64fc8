import { script, sh, shellScript } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A file of a package that is no longer as the package brought it. */
export interface PackageFile {
  /** Package that brought it. */
  readonly package: string;
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
  /** Those of the asked packages that are installed, and the libraries that were looked at with them. */
  readonly packages: ReadonlySet<string>;
  /** By path; files as they were brought are not in the answer. */
  readonly files: ReadonlyMap<string, PackageFile>;
}

const source = script(import.meta.url, "./package-files.sh");

/** Touched files are hashed up to 1 GiB in all, which takes two seconds; a deep look hashes everything. */
const hashedBytes = 2 ** 30;

/** How far to look. */
interface Reach {
  /** Hashes all files. */
  readonly deep: boolean;
  /** Also the libraries that the packages depend on, at any depth. @default false */
  readonly libraries?: boolean;
}

/**
 * Files of packages that differ from what the packages brought. A cheap look finds those whose inode changed
 * after the package was unpacked, which every write, replacement, chmod and chown does even if times are put
 * back; only those are hashed. It is deceived by who turns the machine's clock back, or the time of dpkg's
 * own list on; a deep look hashes all files.
 */
export const packageFiles = (
  names: readonly string[],
  { deep, libraries = false }: Reach,
): Fact<PackageFiles> => ({
  name: "files of packages",
  command: shellScript(source, [deep ? 1 : 0, hashedBytes, libraries ? 1 : 0, ...names]),
  timeoutSeconds: deep ? 1800 : 60,
  parse: parsePackageFiles,
});

const form =
  /^(?:(package)\t([a-z0-9][a-z0-9+.-]*)|(missing|hashed|changed)\t(\/.*)|(touched)\t([a-z?])\t([0-7]+)\t([^\t]+:[^\t]+)\t([^\t]*)\t(\/.*))$/;

function parsePackageFiles(finished: Finished): PackageFiles {
  const packages = new Set<string>();
  const files = new Map<string, PackageFile>();
  const hashed = new Set<string>();
  let package_ = "";
  for (const line of linesOf(finished)) {
    const [name = "", state = "", path = "", , type = "", mode = "", owner = "", target = "", at = ""] =
      partsOf(line, form, "a package's file").slice(1);
    if (name !== "") {
      package_ = name;
      packages.add(name);
    } else if (state === "hashed") hashed.add(path);
    else if (state === "missing") files.set(path, { package: package_, state, hashed: false });
    else if (state === "changed")
      files.set(path, { ...files.get(path), package: package_, state, hashed: true });
    else
      files.set(at, {
        package: package_,
        state: "touched",
        hashed: false,
        now: { type, mode, owner, target },
      });
  }
  for (const path of hashed) {
    const file = files.get(path);
    if (file) files.set(path, { ...file, hashed: true });
  }
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

/** All diversions of a machine, those that packages make included. */
export const diversions: Fact<readonly Diversion[]> = {
  name: "dpkg-divert",
  command: sh`dpkg-divert --list`,
  parse: (finished) =>
    linesOf(finished).map((line) => {
      const [local = "", localTo = "", path = "", to = "", by] = partsOf(line, diversion, "a diversion");
      return local === "" ? { path, to, by } : { path: local, to: localTo, by: undefined };
    }),
};
