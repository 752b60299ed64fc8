import { sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A package as dpkg's database has it. */
export interface Package {
  /** `installed`, `config-files`, `half-configured`, `half-installed`, `unpacked`, `triggers-pending` … */
  readonly status: string;
  readonly version: string;
  /** `apt-mark hold`: apt leaves it at the version it has. */
  readonly held?: true;
}

// Of a package that dpkg only knows by name, as one that was there once or that another one mentions, the
// architecture is empty.
const row = /^([a-z0-9][a-z0-9+.-]*)\t([a-z0-9-]*)\t([a-z-]+)\t(\S*)(?:\t([a-z]+))?$/;

function parsePackages(finished: Finished): ReadonlyMap<string, Package> {
  // 1: it does not know some of the names. 2 is a failure: its database cannot be read.
  const [native = "", ...lines] = linesOf(finished, [0, 1]);
  if (!/^[a-z0-9-]+$/.test(native))
    throw new Error(`dpkg did not say which architecture it is for: ${native}`);
  const found = lines
    .map((line) => partsOf(line, row, "a package"))
    // The same name may be installed for a foreign architecture as well; that one was not asked for.
    .filter(([, architecture]) => architecture === native || architecture === "all")
    .filter(([, , status]) => status !== "not-installed");
  return new Map(
    found.map(([name = "", , status = "", version = "", selected]) => [
      name,
      { status, version, ...(selected === "hold" ? { held: true as const } : {}) },
    ]),
  );
}

/**
 * Packages of the machine's own architecture, by name; a name that dpkg does not know is not in the answer.
 */
export const packages = (names: readonly string[]): Fact<ReadonlyMap<string, Package>> => ({
  name: "dpkg-query",
  command: sh`dpkg --print-architecture
dpkg-query -W -f '\${Package}\\t\${Architecture}\\t\${db:Status-Status}\\t\${Version}\\t\${db:Status-Want}\\n' -- ${names}`,
  parse: parsePackages,
});
