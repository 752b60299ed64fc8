import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { agentOf, type Endpoint, type Surroundings } from "./endpoint.ts";
import { HostError } from "./errors.ts";
import type { Reach } from "./host.ts";
import { type Credentials, type HostEntry, type Inventory, jumpProblem } from "./inventory.ts";
import { Line, type OnWait } from "./line.ts";
import { Resolver } from "./resolve.ts";
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
  const agent = agentOf(process.platform, process.env, existsSync);
  const resolver = new Resolver({ home: homedir(), agent, ...surroundings });
  const hosts = new Map<string, Promise<SshHost>>();
  /** Jump hosts that are not in the inventory, by the way to them: one connection each, whoever is behind. */
  const passages = new Map<string, Line>();
  let closed = false;

  function hostNamed(name: string): Promise<SshHost> {
    const entry = inventory.hosts[name];
    if (entry === undefined) throw unknown(name, Object.keys(inventory.hosts));
    const way = wayTo(entry, inventory.credentials[name]);
    const host = hosts.get(way) ?? makeHost(name, entry);
    hosts.set(way, host);
    return host;
  }

  async function makeHost(name: string, entry: HostEntry): Promise<SshHost> {
    const wrong = jumpProblem(name, inventory.hosts);
    if (wrong !== undefined)
      throw new HostError({ name, target: entry.address }, "config", `hosts.${name}.jump: ${wrong}`);
    const endpoint = await resolver.host(name, entry);
    // Only an entry names other hosts; an ssh config has names of its own.
    const [first, ...later] = endpoint.jumps;
    const inside = entry.jump !== undefined && first !== undefined && first in inventory.hosts;
    const outer = inside ? await hostNamed(first) : undefined;
    const hops = await resolver.hops(inside ? later : endpoint.jumps, entry.sshConfig, []);
    const destination = { endpoint, credentials: inventory.credentials[name] };
    return new SshHost({ ...destination, via: passage(hops, outer?.line) }, outer?.gate);
  }

  /** The connection through which what lies behind the hops is reached. */
  function passage(hops: readonly Endpoint[], outer: Line | undefined): Line | undefined {
    let via = outer;
    let way = outer?.subject.name ?? "";
    for (const endpoint of hops) {
      way = `${way} ${endpoint.subject.name}`;
      const line = passages.get(way) ?? new Line({ endpoint, credentials: undefined, via });
      passages.set(way, line);
      via = line;
    }
    return via;
  }

  return {
    async reach(name, { withinSeconds = REACH_SECONDS, onWait } = {}) {
      const making = hostNamed(name);
      try {
        const host = await making;
        if (closed) host.close();
        await host.connected(withinSeconds, onWait);
        return { state: "reachable", host };
      } catch (error) {
        if (error instanceof HostError) return { state: "unreachable", error };
        throw error;
      }
    },

    async close() {
      closed = true;
      for (const made of await Promise.allSettled(hosts.values()))
        if (made.status === "fulfilled") made.value.close();
      for (const line of passages.values()) line.close();
      hosts.clear();
      passages.clear();
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
