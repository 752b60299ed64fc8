import type { Inventory } from "#inventory/inventory.ts";
import type { Endpoint } from "#transport/endpoint.ts";
import type { ServerKey } from "#transport/host-keys/scan-host-key.ts";
import type { Pool, Stop } from "#transport/pool.ts";
import { withHosts } from "./hosts.ts";

/** What another SSH client needs to log in to a machine, or to one on the way to it, as we do. */
export interface Login extends Stop {
  /** The whole key that the entry pins; `undefined`: the operator's known_hosts decides. */
  readonly key: ServerKey | undefined;
}

/**
 * How a machine is logged in to: all SSH servers on the way to it, first to last; the last is the machine
 * itself. Their entries are completed from the operator's ssh config. Rejects if one shows another key than
 * its entry pins.
 */
export function loginsTo(name: string, inventory: Inventory): Promise<readonly Login[]> {
  return withHosts(inventory, async (_, pool) => {
    const stops = await pool.stops(name);
    return await Promise.all(
      stops.map(async (stop) => ({ ...stop, key: await pinnedKey(stop.endpoint, pool) })),
    );
  });
}

/** The key that an entry pins, whole: fetched from the machine and compared with the pin. */
async function pinnedKey(
  { host: { name }, address, port, hostKey: pin }: Endpoint,
  pool: Pool,
): Promise<ServerKey | undefined> {
  if (pin === undefined) return undefined;
  const { key } = await pool.scan(name, pin);
  if (key.fingerprint === pin) return key;
  throw new Error(
    [
      `${name}: the SSH host key of ${address} port ${port} is not the one we know`,
      `  it shows ${key.fingerprint}`,
      `  expected ${pin} (hosts.${name}.hostKey)`,
      "  installed anew, or another machine has its address, or somebody is between: compare on the host itself:",
      "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    ].join("\n"),
  );
}
