import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

/** A package, as apt knows it on one machine. */
export interface Offer {
  readonly installed: string | undefined;
  /** Version that apt would install; `undefined`: none is in its lists. */
  readonly candidate: string | undefined;
  /** Versions that come from the repository that was asked about. */
  readonly fromRepository: readonly string[];
}

/**
 * Names of packages of a driver, in whichever packaging: NVIDIA's, Debian's, Ubuntu's, those of vendors that
 * bring one of their own.
 */
const patterns = [
  ...["cuda-drivers*", "nvidia-*", "libnvidia-*", "linux-modules-nvidia-*", "linux-objects-nvidia-*"],
  ...["lambda-stack*", "system76-driver-nvidia", "dgx-*"],
];

const none = (version: string | undefined) => (version === "(none)" ? undefined : version);

/**
 * Reads one package of the table of `apt-cache policy`: its versions, and under each the sources that have
 * it.
 */
function parseOffer(lines: readonly string[], repository: string): Offer {
  const value = (key: string) =>
    lines
      .map((line) => new RegExp(`^  ${key}: (\\S+)$`).exec(line)?.[1])
      .find((found) => found !== undefined);
  const versions = lines.map((line) => /^ (?:\*\*\*| {3}) (\S+) -?\d+$/.exec(line)?.[1]);
  const fromRepository = lines.flatMap((line, i) => {
    const source = /^ {8,}-?\d+ (\S+)/.exec(line)?.[1];
    if (source?.replace(/\/$/, "") !== repository) return [];
    return versions.slice(0, i).findLast((version) => version !== undefined) ?? [];
  });
  return { installed: none(value("Installed")), candidate: none(value("Candidate")), fromRepository };
}

function parsePolicy(lines: readonly string[], repository: string): ReadonlyMap<string, Offer> {
  const heads = lines.flatMap((line, i) => {
    const name = /^([a-z0-9][a-z0-9+.-]*):$/.exec(line)?.[1];
    return name === undefined ? [] : [{ name, i }];
  });
  if (lines.length > 0 && heads[0]?.i !== 0) throw new Error(`not the line of a package: ${lines[0]}`);
  return new Map(
    heads.map(({ name, i }, n) => [name, parseOffer(lines.slice(i, heads[n + 1]?.i), repository)]),
  );
}

/**
 * Every package of a driver that is installed, and those of these names that apt knows.
 * @param repository address of the repository whose versions are to be told apart
 */
export const nvidiaPackages = (
  names: readonly string[],
  repository: string,
): Fact<ReadonlyMap<string, Offer>> => ({
  name: "NVIDIA's packages",
  command: sh`installed=$(dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' -- ${patterns} 2>/dev/null | sed -n 's/^.[^cn]. *//p') 
LC_ALL=C apt-cache policy $installed ${names} && echo end`,
  parse: (finished) => {
    const lines = linesOf(finished);
    if (lines.at(-1) !== "end") throw new Error("apt-cache policy did not come to its end");
    return parsePolicy(lines.slice(0, -1), repository.replace(/\/$/, ""));
  },
});
