import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf } from "./lines.ts";
import { whoFunction } from "./proc.ts";

const marks = "/var/lib/apt/extended_states";

function parseAutomatic(finished: Finished): ReadonlySet<string> {
  // grep's 1: none of them has a mark.
  const [native = "", ...lines] = linesOf(finished, [0, 1]);
  if (!/^[a-z0-9-]+$/.test(native))
    throw new Error(`dpkg did not say which architecture it is for: ${native}`);
  const strange = lines.find((line) => !/^(|--|[A-Z][\w-]*: .*)$/.test(line));
  if (strange !== undefined) throw new Error(`not a line of apt's marks: ${strange}`);
  const marks = lines
    .join("\n")
    .split(/^(?=Package: )/m)
    .filter((stanza) => stanza.startsWith("Package: "));
  return new Set(
    marks
      .map(parseMark)
      .flatMap((mark) => (mark.automatic && [native, "all"].includes(mark.architecture) ? [mark.name] : [])),
  );
}

function parseMark(stanza: string): { name: string; architecture: string; automatic: boolean } {
  const value = (key: string) => new RegExp(`^${key}: (\\S+)$`, "m").exec(stanza)?.[1];
  const [name, architecture, automatic] = [value("Package"), value("Architecture"), value("Auto-Installed")];
  if (name === undefined || architecture === undefined || automatic === undefined)
    throw new Error(`not the mark of a package: ${stanza.trim().replaceAll("\n", "; ")}`);
  return { name, architecture, automatic: automatic === "1" };
}

/**
 * Which of the packages stand there only because others depend on them. The same package for a foreign
 * architecture has a mark of its own, which does not count. Read from apt's own file: `apt-mark` may rebuild
 * a cache.
 */
export const automaticPackages = (names: readonly string[]): Fact<ReadonlySet<string>> => ({
  name: "apt marks",
  command: sh`dpkg --print-architecture || exit
[ ! -e ${marks} ] || grep -x -F -A2 ${names.flatMap((name) => ["-e", `Package: ${name}`])} ${marks}`,
  parse: parseAutomatic,
});

/**
 * Exits 0 when nobody has the locks of apt and dpkg open, else 75 after a line that names the holder:
 * program, pid, unit and since when. By /proc, because neither fuser nor lsof is on a small host.
 */
export const aptFree: ShellCommand = sh`${whoFunction}
find /proc/[0-9]*/fd -maxdepth 1 \\( -lname /var/lib/dpkg/lock -o -lname /var/lib/dpkg/lock-frontend \\
  -o -lname /var/lib/apt/lists/lock -o -lname /var/cache/apt/archives/lock \\) -printf '%h\\n' 2>/dev/null | sort -u |
while IFS=/ read -r _ _ pid _; do
  holder=$(who "$pid" arguments) || continue
  echo "held by $holder"
  exit 75
done`;
