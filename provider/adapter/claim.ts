import { claimantOf, type Self } from "#provider/converge/owners.ts";
import type { Runtime } from "./runtime.ts";
import type { Opened } from "./state.ts";

/** As whom a resource claims its items, and what of the host's record it may take for its own. */
export const selfOf = (runtime: Runtime, urn: string, { host, claimedAs }: Opened): Self => ({
  ...claimantOf(urn),
  by: runtime.operator,
  formerly: claimedAs === undefined ? undefined : claimantOf(claimedAs),
  inherits: runtime.inventory.hosts[host]?.takeOver ?? [],
});

/** Says that the machine knows items under this resource's very name which the state does not know. */
export async function warnOfNamesakes(
  runtime: Runtime,
  urn: string,
  host: string,
  others: readonly string[],
): Promise<void> {
  if (others.length === 0) return;
  await runtime.log(
    urn,
    "warning",
    `${host} has this as that of ${claimantOf(urn).stack} already, from ${others.join(", ")}, and the state here does not know it. ` +
      "That is right if a run broke off or the state was lost. If it is another operator's stack of the same name, stop: " +
      "each would undo the other; give one of them another name (pulumi stack rename).",
  );
}
