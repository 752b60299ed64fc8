import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** A package as dpkg's database has it. */
export interface Package {
  /** `installed`, `config-files`, `half-configured`, `half-installed`, `unpacked`, `triggers-pending` … */
  readonly status: string;
  readonly version: string;
}

function parsePackages(stdout: string): ReadonlyMap<string, Package> {
  const [native, ...lines] = stdout.split("\n").filter((line) => line !== "");
  if (!native) throw new Error("dpkg did not say which architecture it is for");
  const found = lines
    .map((line) => line.split("\t"))
    // The same name may be installed for a foreign architecture as well; that one was not asked for.
    .filter(([, architecture]) => architecture === native || architecture === "all")
    .filter(([, , status]) => status !== "not-installed");
  return new Map(found.map(([name = "", , status = "", version = ""]) => [name, { status, version }]));
}

/** Packages of the machine's own architecture, by name; a name that dpkg does not know is not in the answer. */
export const packages = (names: readonly string[]): Fact<ReadonlyMap<string, Package>> => ({
  name: "dpkg-query",
  command: sh`dpkg --print-architecture
dpkg-query -W -f '\${Package}\\t\${Architecture}\\t\${db:Status-Status}\\t\${Version}\\n' -- ${names} 2>/dev/null; exit 0`,
  parse: ({ stdout }) => parsePackages(stdout),
});
