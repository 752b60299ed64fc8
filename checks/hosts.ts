import type { Inventory } from "#inventory/inventory.ts";
import type { Host, Reach } from "#transport/host.ts";
import { openPool, type Pool } from "#transport/pool.ts";

/** A host that is looked at should be there; one that is booting gets this long. */
const WITHIN_SECONDS = 15;

/** Opens the inventory's hosts for `work` and closes them after it. A host is tried once, however often it is asked for. */
export async function withHosts<T>(
  inventory: Inventory,
  work: (reach: (host: string) => Promise<Reach>, pool: Pool) => Promise<T>,
): Promise<T> {
  const pool = openPool(inventory);
  const tried = new Map<string, Promise<Reach>>();
  try {
    return await work((host) => {
      const reach = tried.get(host) ?? reachHost(host);
      tried.set(host, reach);
      return reach;
    }, pool);
  } finally {
    await pool.close();
  }

  async function reachHost(host: string): Promise<Reach> {
    try {
      return await pool.reach(host, { withinSeconds: WITHIN_SECONDS });
    } catch (error) {
      return { state: "unreachable", error: error as Error };
    }
  }
}

/** A host that must be there; rejects with what keeps it. */
export async function reachable(reach: (name: string) => Promise<Reach>, name: string): Promise<Host> {
  const reached = await reach(name);
  if (reached.state === "unreachable") throw reached.error;
  if (reached.state === "absent") throw new Error(reached.reason);
  return reached.host;
}
