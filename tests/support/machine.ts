import { hostEntry } from "#inventory/inventory.ts";
import type { LabHost } from "#lab/host.ts";
import type { Acting } from "#provider/converge/converge.ts";
import type { Machine } from "#transport/host.ts";
import { openPool } from "#transport/pool.ts";

/** A connection to a lab host, as the provider would open it. */
export async function connectTo(host: LabHost): Promise<{ machine: Machine; close(): Promise<void> }> {
  const { name, address, hostKey, identityFile } = host;
  const entry = hostEntry.parse({ platform: "linux", address, hostKey, identityFile, sshConfig: false });
  const pool = openPool({ hosts: { [name]: entry }, credentials: {} });
  const reach = await pool.reach(name);
  if (reach.state !== "reachable") throw new Error(`${name} is ${reach.state}`);
  return { machine: reach.host, close: () => pool.close() };
}

/** What the engine's verbs need beside a machine; progress lines are collected in `said`. */
export const actingOn = (
  machine: Machine,
  said: string[] = [],
  signal = new AbortController().signal,
): Acting => ({
  machine,
  holder: "lab test",
  report: async (line) => void said.push(line),
  signal,
  mask: (text) => text,
});
