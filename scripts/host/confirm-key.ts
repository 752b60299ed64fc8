import type { FirstSight } from "#checks/first-contact.ts";
import { UsageError } from "#scripts/terminal/arguments.ts";
import { ask, hasTerminal } from "#scripts/terminal/ask.ts";
import { keyFile } from "./new-entry.ts";

/** What the operator said beforehand. */
interface Given {
  readonly "host-key"?: string | undefined;
  readonly yes?: boolean | undefined;
}

const known = {
  known: "Your known_hosts has this key.",
  unknown: "Your known_hosts does not know this machine.",
  changed:
    "ANOTHER KEY OF THIS TYPE STANDS IN YOUR known_hosts. Somebody may be between you and the machine.",
  revoked: "YOUR known_hosts SAYS THAT THIS KEY IS REVOKED.",
} as const;

/**
 * Has somebody say that the key which a machine showed is its own: on a terminal by an answer, elsewhere by
 * `--yes` and the fingerprint. Rejects where nobody does.
 */
export async function confirmKey(place: string, sight: FirstSight, given: Given): Promise<void> {
  const { type, fingerprint } = sight.key;
  const wanted = given["host-key"];
  if (wanted !== undefined && wanted !== fingerprint)
    throw new Error(
      [
        `${place} is not the machine of --host-key; nobody logged in and nothing was written`,
        `  it shows ${fingerprint} (${type})`,
        `  expected ${wanted}`,
        "  installed anew, or another machine has its address, or somebody is between",
      ].join("\n"),
    );
  const compare = `compare it on the machine itself: ssh-keygen -lf ${keyFile(type)}`;
  if (wanted !== undefined) {
    if (given.yes || hasTerminal()) return;
    throw new UsageError("not on a terminal: --yes says that nobody needs to be asked");
  }
  if (given.yes || !hasTerminal())
    throw new UsageError(
      [
        `the host key of ${place} must be confirmed; --yes alone does not do that, and here nobody can be asked`,
        `  it shows ${fingerprint} (${type})`,
        `  ${compare}`,
        `  then add: -- --yes --host-key ${fingerprint}`,
      ].join("\n"),
    );
  console.error(`\n${place} shows this host key:\n\n  ${fingerprint}  ${type}\n\n${known[sight.known]}`);
  console.error(`C${compare.slice(1)}`);
  const answer = await ask("Is it the same? (yes or no, or paste the fingerprint that you see there) ");
  if (answer === "yes" || answer === fingerprint) return;
  throw new Error(`the host key of ${place} was not confirmed; nobody logged in and nothing was written`);
}
