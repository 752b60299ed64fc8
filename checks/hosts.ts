import type { Inventory } from "#inventory/inventory.ts";
import type { Host, Reach, System } from "#transport/host.ts";
import { openPool, type Pool } from "#transport/pool.ts";

/** A host that is looked at should be there. */
const withinSeconds = 5;

/** What can be said of a host; @param on which of the hosts of that name. @default "linux" */
export type ReachHost = (name: string, on?: System) => Promise<Reach>;

/**
 * Opens the inventory's hosts for `work` and closes them after it. A host is tried once, however often it is
 * asked for.
 */
export async function withHosts<T>(
  inventory: Inventory,
  work: (reach: ReachHost, pool: Pool) => Promise<T>,
): Promise<T> {
  const pool = openPool(inventory);
  const tried = new Map<string, Promise<Reach>>();
  try {
    return await work((name, on = "linux") => {
      const place = `${on} ${name}`;
      const reach = tried.get(place) ?? reachHost(name, on);
      tried.set(place, reach);
      return reach;
    }, pool);
  } finally {
    await pool.close();
  }

  async function reachHost(name: string, on: System): Promise<Reach> {
    try {
      return await pool.reach(name, { on, withinSeconds });
    } catch (error) {
      return { state: "unreachable", error: error as Error };
    }
  }
}

/** A host that must be there; rejects with what keeps it. */
export async function reachable(reach: ReachHost, name: string): Promise<Host> {
  const reached = await reach(name);
  if (reached.state === "unreachable") throw reached.error;
  if (reached.state === "absent") throw new Error(reached.reason);
  return reached.host;
}
