import { homedir } from "node:os";
import type { Surroundings } from "./authentication.ts";
import { targetOf } from "./connect.ts";
import { HostError } from "./errors.ts";
import type { Reach } from "./host.ts";
import type { Credentials, HostEntry, Inventory } from "./inventory.ts";
import type { OnWait } from "./line.ts";
import { SshHost } from "./ssh-host.ts";

export interface ReachOptions {
  /** Seconds to wait for a host that does not answer (it may be booting). @default 60 */
  readonly withinSeconds?: number;
  /** Called with a line while the host does not answer, for progress: at once, then every 5 s. */
  readonly onWait?: OnWait;
}

/** Connections to the machines of one inventory, one each. */
export interface Pool {
  /**
   * What can be said of a host now. An `unreachable` one comes with a HostError that names the cure; only a name that is
   * not in the inventory rejects.
   */
  reach(name: string, options?: ReachOptions): Promise<Reach>;
  /** Ends all connections; afterwards nothing of the pool keeps the process running. */
  close(): Promise<void>;
}

const REACH_SECONDS = 60;

/** Opens a pool; connects to nothing yet. @param surroundings where keys are looked for; default: this user's */
export function openPool(inventory: Inventory, surroundings: Partial<Surroundings> = {}): Pool {
  const around = { home: homedir(), agent: process.env.SSH_AUTH_SOCK, ...surroundings };
  const open = new Map<string, SshHost>();

  function hostNamed(name: string): SshHost {
    const entry = inventory.hosts[name];
    if (entry === undefined) throw unknown(name, Object.keys(inventory.hosts));
    const subject = { name, target: targetOf(entry) };
    const destination = { subject, entry, credentials: inventory.credentials[name], surroundings: around };
    const machine = wayTo(entry, inventory.credentials[name]);
    const host = open.get(machine) ?? new SshHost(destination);
    open.set(machine, host);
    return host;
  }

  return {
    async reach(name, { withinSeconds = REACH_SECONDS, onWait } = {}) {
      const host = hostNamed(name);
      try {
        await host.connected(withinSeconds, onWait);
        return { state: "reachable", host };
      } catch (error) {
        if (error instanceof HostError) return { state: "unreachable", error };
        throw error;
      }
    },

    async close() {
      for (const host of open.values()) host.close();
      open.clear();
    },
  };
}

/**
 * What leads to a machine. One that is being renamed (the old name retires, the new one is added in the same run) has two
 * names, and still one gate and one lock.
 */
function wayTo(entry: HostEntry, credentials: Credentials | undefined): string {
  const { retire: _, base: __, takeOver: ___, groupAddress: ____, ...way } = entry;
  return JSON.stringify([Object.entries(way).sort(), credentials]);
}

function unknown(name: string, names: readonly string[]): Error {
  return new Error(
    [
      `the host ${name} is not in the inventory (gpuhost:hosts has: ${names.join(", ") || "none"})`,
      `  to remove our parts from the machine: put its entry back with \`retire: true\`, run up, then delete the entry`,
      `  if the machine is gone for good: put its entry back with \`retire: gone\`, run up, then delete the entry`,
    ].join("\n"),
  );
}
