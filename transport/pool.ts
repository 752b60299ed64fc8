import { existsSync } from "node:fs";
import { homedir } from "node:os";
import type { Credentials, HostEntry, Inventory } from "#inventory/inventory.ts";
import type { Destination } from "./connect.ts";
import { agentOf, type Endpoint, type Surroundings } from "./endpoint.ts";
import { HostError } from "./errors.ts";
import type { Gate, Reach, System } from "./host.ts";
import { type Scanned, scanHostKey } from "./host-keys/scan-host-key.ts";
import { Line, type OnWait } from "./line.ts";
import { type Outlook, outlookOn } from "./outlook.ts";
import { posix } from "./posix/platform.ts";
import { Resolver } from "./resolve.ts";
import { SshHost } from "./ssh-host.ts";
import { openWay } from "./way.ts";

export interface ReachOptions {
  /** Which of the hosts of that name: a PC, or the Linux distribution in it. @default "linux" */
  readonly on?: System;
  /** Seconds to wait for a host that does not answer (it may be booting). @default 60 */
  readonly withinSeconds?: number;
  /** Called with a line while the host does not answer, for progress: at once, then every 5 s. */
  readonly onWait?: OnWait;
}

/** One SSH server on the way to a host, or the host itself at the end of it. */
export interface Stop {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials | undefined;
}

/** Connections to the machines of one inventory, one each. */
export interface Pool {
  /**
   * What can be said of a host now. An `unreachable` one comes with a HostError that names the cure; rejects
   * only for a name that is not in the inventory, and for a system that the machine has not.
   */
  reach(name: string, options?: ReachOptions): Promise<Reach>;
  /** All SSH servers on the way to a host, first to last; the last is the host. Connects to nothing. */
  stops(name: string): Promise<readonly Stop[]>;
  /**
   * The key that a host shows, by the way that a login takes. The host is not logged in to; those before it
   * are.
   */
  scan(name: string, wanted?: string): Promise<Scanned>;
  /** From where the ports of a host can be tried. Connects to nothing yet. */
  outlook(name: string): Promise<Outlook>;
  /** Ends all connections; afterwards nothing of the pool keeps the process running. */
  close(): Promise<void>;
}

const defaultReachSeconds = 60;

/** A destination whose way is a line of this pool. */
type LineTo = Destination & { readonly via: Line | undefined };

/**
 * Opens a pool; connects to nothing yet. @param surroundings where keys are looked for; default: this user's
 */
export function openPool(inventory: Inventory, surroundings: Partial<Surroundings> = {}): Pool {
  const agent = agentOf(process.platform, process.env, existsSync);
  const resolver = new Resolver({ home: homedir(), agent, ...surroundings });
  const hosts = new Map<string, Promise<SshHost>>();
  /** Jump hosts that are not in the inventory, by the way to them: one connection each, whoever is behind. */
  const passages = new Map<string, Line>();
  const closing = new AbortController();

  function entryOf(name: string): HostEntry {
    const entry = Object.hasOwn(inventory.hosts, name) ? inventory.hosts[name] : undefined;
    if (entry === undefined) throw unknown(name, Object.keys(inventory.hosts));
    return entry;
  }

  function hostNamed(name: string): Promise<SshHost> {
    const entry = entryOf(name);
    const way = wayTo(entry, inventory.credentials[name]);
    const host = hosts.get(way) ?? makeHost(name);
    hosts.set(way, host);
    return host;
  }

  async function makeHost(name: string): Promise<SshHost> {
    const { destination, gate } = await destinationOf(name);
    return new SshHost(destination, posix, gate);
  }

  async function destinationOf(name: string): Promise<{ destination: LineTo; gate: Gate | undefined }> {
    const { endpoint, outer, hops } = await resolver.route(name, entryOf(name), inventory.hosts);
    const before = outer === undefined ? undefined : await hostNamed(outer);
    const via = passage(hops, before?.line);
    return { destination: { endpoint, credentials: inventory.credentials[name], via }, gate: before?.gate };
  }

  async function stops(name: string): Promise<readonly Stop[]> {
    const { endpoint, outer, hops } = await resolver.route(name, entryOf(name), inventory.hosts);
    return [
      ...(outer === undefined ? [] : await stops(outer)),
      ...hops.map((hop) => ({ endpoint: hop, credentials: undefined })),
      { endpoint, credentials: inventory.credentials[name] },
    ];
  }

  /** The connection through which what lies behind the hops is reached. */
  function passage(hops: readonly Endpoint[], outer: Line | undefined): Line | undefined {
    let via = outer;
    let way = outer?.host.name ?? "";
    for (const endpoint of hops) {
      way = `${way} ${endpoint.host.name}`;
      const line = passages.get(way) ?? new Line({ endpoint, credentials: undefined, via });
      passages.set(way, line);
      via = line;
    }
    return via;
  }

  return {
    async reach(name, { on = "linux", withinSeconds = defaultReachSeconds, onWait } = {}) {
      const { platform } = entryOf(name);
      if (on !== platform)
        throw new Error(`${name} is a ${platform} machine: there is no ${on} host of that name`);
      const making = hostNamed(name);
      try {
        const host = await making;
        if (closing.signal.aborted) host.close();
        await host.connected(withinSeconds, onWait);
        return { state: "reachable", host };
      } catch (error) {
        if (error instanceof HostError) return { state: "unreachable", error };
        throw error;
      }
    },

    stops,

    async scan(name, wanted) {
      const { endpoint, via } = (await destinationOf(name)).destination;
      return await scanHostKey(endpoint, () => openWay(endpoint, via, closing.signal), {
        through: via?.host,
        wanted,
      });
    },

    async outlook(name) {
      const { endpoint, via } = (await destinationOf(name)).destination;
      return outlookOn(endpoint, via, closing.signal);
    },

    async close() {
      closing.abort();
      for (const made of await Promise.allSettled(hosts.values()))
        if (made.status === "fulfilled") made.value.close();
      for (const line of passages.values()) line.close();
      hosts.clear();
      passages.clear();
    },
  };
}

/** The keys of an entry that lead to its machine; the others say what it has, or what is done there. */
const wayKeys = [
  "platform",
  "address",
  "port",
  "user",
  "hostKey",
  "identityFile",
  "jump",
  "sshConfig",
] as const satisfies readonly (keyof HostEntry)[];

/**
 * What leads to a machine. One that is being renamed (the old name retires, the new one is added in the same
 * run) has two names, and still one gate and one lock.
 */
function wayTo(entry: HostEntry, credentials: Credentials | undefined): string {
  return JSON.stringify([wayKeys.map((key) => entry[key]), credentials]);
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
