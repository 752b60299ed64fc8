import type { LabHost } from "#lab/host.ts";

/** A lab host as the inventory has it. */
export function inventoryEntry(host: LabHost, change: Record<string, unknown> = {}) {
  const { address, user, hostKey, identityFile } = host;
  return { platform: "linux", address, user, hostKey, identityFile, ...change };
}

/** An inventory of lab hosts by their own names. */
export const inventoryOf = (hosts: readonly LabHost[]) =>
  Object.fromEntries(hosts.map((host) => [host.name, inventoryEntry(host)]));
