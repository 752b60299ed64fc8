import { claimantOf, type Self } from "#provider/converge/owners.ts";
import { HostError } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import type { Runtime } from "./runtime.ts";
import type { Named, Opened } from "./state.ts";

/** As whom a resource claims its items, and what of the host's record it may take for its own. */
export const selfOf = (runtime: Runtime, urn: string, { host, claimedAs }: Opened): Self => ({
  ...claimantOf(urn),
  by: runtime.operator,
  formerly: claimedAs === undefined ? undefined : claimantOf(claimedAs),
  inherits: runtime.inventory.hosts[host]?.takeOver ?? [],
});

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** An error of a resource: host first, then resource, then what was tried and what came back. */
export function told(
  host: string,
  { target }: Pick<Machine, "target">,
  { definition, name }: Named,
  error: unknown,
  mask: (text: string) => string,
): string {
  // A HostError names the host by itself.
  const what =
    error instanceof HostError
      ? [error.what, ...(error.hint ? [error.hint.replaceAll(/^/gm, "  ")] : [])].join("\n")
      : messageOf(error);
  return `${host} (${target}), ${definition.type} ${name}: ${mask(what)}`;
}

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
