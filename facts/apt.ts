import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { whoFunction } from "./proc.ts";

const marks = "/var/lib/apt/extended_states";

function parseAutomatic(stdout: string): ReadonlySet<string> {
  const stanzas = stdout.split(/^(?=Package: )/m).filter((stanza) => /^Auto-Installed: 1$/m.test(stanza));
  return new Set(stanzas.flatMap((stanza) => /^Package: (\S+)/.exec(stanza)?.[1] ?? []));
}

/** Which of the packages stand there only because others depend on them. Read from apt's own file: `apt-mark` may rebuild a cache. */
export const automaticPackages = (names: readonly string[]): Fact<ReadonlySet<string>> => ({
  name: "apt marks",
  command: sh`grep -x -F -A2 ${names.flatMap((name) => ["-e", `Package: ${name}`])} ${marks} 2>/dev/null; exit 0`,
  parse: ({ stdout }) => parseAutomatic(stdout),
});

/**
 * Exits 0 when nobody has the locks of apt and dpkg open, else 75 after a line that names the holder: program, pid, unit and
 * since when. By /proc, because neither fuser nor lsof is on a small host.
 */
export const aptFree: ShellCommand = sh`${whoFunction}
find /proc/[0-9]*/fd -maxdepth 1 \\( -lname /var/lib/dpkg/lock -o -lname /var/lib/dpkg/lock-frontend \\
  -o -lname /var/lib/apt/lists/lock -o -lname /var/cache/apt/archives/lock \\) -printf '%h\\n' 2>/dev/null | sort -u |
while IFS=/ read -r _ _ pid _; do
  holder=$(who "$pid" arguments) || continue
  echo "held by $holder"
  exit 75
done`;
