import { homedir } from "node:os";
import { hostKeys, type PublicKey } from "#facts/host-keys.ts";
import type { Endpoint } from "#transport/endpoint.ts";
import { fingerprintOf } from "#transport/host-key.ts";
import type { HostEntry, Inventory } from "#transport/inventory.ts";
import { Resolver } from "#transport/resolve.ts";
import { scanHostKey } from "#transport/scan-host-key.ts";
import { reachable, withHosts } from "./hosts.ts";

/** What another SSH client needs to log in to a machine as we do. */
export interface Login {
  readonly user: string;
  readonly port: number;
  /** The whole key that the entry pins; `undefined`: the operator's known_hosts decides. */
  readonly key: PublicKey | undefined;
}

/** How a machine is logged in to: its entry, completed from the operator's ssh config. Rejects if it shows another key. */
export async function loginTo(name: string, entry: HostEntry, inventory: Inventory): Promise<Login> {
  const endpoint = await new Resolver({ home: homedir() }).host(name, entry);
  const { user, port } = endpoint;
  const pin = entry.hostKey;
  return { user, port, key: pin === undefined ? undefined : await pinnedKey(endpoint, pin, inventory) };
}

/**
 * The key that the entry pins, whole: fetched from the machine and compared with the pin. A machine behind others is logged
 * in to, its key verified on the way, and asked.
 */
async function pinnedKey(
  { subject: { name }, address, port, jumps, proxyCommand }: Endpoint,
  pin: string,
  inventory: Inventory,
): Promise<PublicKey> {
  if (jumps.length > 0 || proxyCommand !== undefined) {
    const keys = await withHosts(inventory, async (reach) => (await reachable(reach, name)).ask(hostKeys));
    const key = keys.find(({ blob }) => fingerprintOf(Buffer.from(blob, "base64")) === pin);
    if (key) return key;
    throw new Error(`${name}: no file /etc/ssh/ssh_host_*_key.pub there has the key ${pin} that it shows`);
  }
  const { key } = await scanHostKey({ address, port }, pin);
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
