import { type Deployed, deployedResources } from "#checks/deployed.ts";
import { drift } from "#checks/drift.ts";
import { hostEntry, type Inventory } from "#inventory/inventory.ts";
import { definitions } from "#provider/resources/index.ts";
import { openPool } from "#transport/pool.ts";
import type { SshHost } from "#transport/ssh-host.ts";
import { resources } from "./desired.ts";

/** The 50 items as the state of a stack has them after an `up`. */
function deployedOn(hosts: readonly string[]): readonly Deployed[] {
  const recorded = hosts.flatMap((host) =>
    resources.map(({ type, name, inputs }) => {
      const applied = definitions.get(type)?.inputs.parse(inputs);
      return {
        urn: `urn:pulumi:bench::gpu-hosts::gpuhost:index:${type}::${host}-${name}`,
        type: `gpuhost:index:${type}`,
        id: `${host}:${name}`,
        inputs: { host, ...inputs },
        outputs: { applied },
      };
    }),
  );
  return deployedResources({ deployment: { resources: recorded } }, definitions);
}

/**
 * Looks at all items of all hosts, each over a connection of its own that is opened for it and closed after
 * it, as drift does. Rejects if something is not in sync. Resolves with the round trips of the host that had
 * the most.
 */
export async function scan(entries: Readonly<Record<string, unknown>>): Promise<number> {
  const hosts = Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [name, hostEntry.parse(entry)]),
  );
  const inventory: Inventory = { hosts, credentials: {} };
  const pool = openPool(inventory);
  try {
    const reached = new Map(Object.keys(hosts).map((name) => [name, pool.reach(name)]));
    const results = await drift(
      deployedOn(Object.keys(hosts)),
      async (name) => await (reached.get(name) ?? pool.reach(name)),
    );
    const different = results.filter(({ verdict }) => verdict !== "good");
    if (different.length > 0) throw new Error(`not in sync: ${JSON.stringify(different, undefined, 2)}`);
    const machines = await Promise.all(reached.values());
    return Math.max(
      ...machines.map((reach) => (reach.state === "reachable" ? (reach.host as SshHost).roundTrips : 0)),
    );
  } finally {
    await pool.close();
  }
}
