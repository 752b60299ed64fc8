import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A file that systemd hands to a service when it starts (`LoadCredential=`). */
export interface Credential {
  readonly id: string;
  /** Where it is read from. */
  readonly path: string;
}

/**
 * Files of credentials that are no longer what the running service was handed at its start, by path. They are
 * compared on the host; nothing of them leaves it. Empty if it does not run.
 */
export const changedCredentials = (
  unit: string,
  credentials: readonly Credential[],
): Fact<readonly string[]> => ({
  name: `credentials of ${unit}`,
  command: sh`set -- ${credentials.flatMap(({ id, path }) => [id, path])}
while [ $# -ge 2 ]; do
  [ ! -f /run/credentials/${unit}/"$1" ] || [ ! -f "$2" ] || cmp -s -- /run/credentials/${unit}/"$1" "$2" || printf 'changed\t%s\n' "$2"
  shift 2
done`,
  parse: (finished) =>
    linesOf(finished).map((line) => partsOf(line, /^changed\t(\/.*)$/, "a credential")[0] ?? ""),
});
