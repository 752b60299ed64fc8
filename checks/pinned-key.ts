import { type HostEntry, sshPort } from "#transport/inventory.ts";
import { type ServerKey, scanHostKey } from "#transport/scan-host-key.ts";

/** The key that the entry pins, whole, fetched from the machine and compared with the pin; rejects if it shows another one. */
export async function pinnedKey(name: string, entry: HostEntry & { hostKey: string }): Promise<ServerKey> {
  const port = sshPort(entry);
  const { key } = await scanHostKey({ address: entry.address, port }, entry.hostKey);
  if (key.fingerprint === entry.hostKey) return key;
  throw new Error(
    [
      `${name}: the SSH host key of ${entry.address} port ${port} is not the one we know`,
      `  it shows ${key.fingerprint}`,
      `  expected ${entry.hostKey} (hosts.${name}.hostKey)`,
      "  installed anew, or another machine has its address, or somebody is between: compare on the host itself:",
      "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    ].join("\n"),
  );
}
