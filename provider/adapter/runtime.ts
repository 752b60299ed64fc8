import { appendFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { type Inventory, readInventory } from "#inventory/inventory.ts";
import type { Reach, System } from "#transport/host.ts";
import { openPool } from "#transport/pool.ts";

/** How much a line matters to the operator; `progress` is shown in the status line of its resource only. */
export type Severity = "progress" | "info" | "warning";

/**
 * Resolves once the engine has the line; never rejects, since a lost line is no reason to fail the work it
 * speaks of.
 */
export type Log = (urn: string, severity: Severity, message: string) => Promise<void>;

/** What the verbs share in one provider process: the inventory, the connections, the voice and the brake. */
export interface Runtime {
  readonly inventory: Inventory;
  /** Every stack option asks for this: plain `up` looks at the hosts first, and so repairs. */
  readonly refreshBeforeUpdate: boolean;
  readonly signal: AbortSignal;
  /** Who runs this, `user@machine`. */
  readonly operator: string;
  readonly holder: string;
  /**
   * @param options.on which of the hosts of that name
   * @param options.urn whose status line says that the host is waited for
   */
  reach(
    name: string,
    options: { on?: System | undefined; withinSeconds: number; urn?: string },
  ): Promise<Reach>;
  /**
   * Begins to look for all hosts, once. Whoever only looks calls it first: the engine asks for a few resources
   * at a time, and silent hosts would be waited for in turn.
   */
  approachAll(): void;
  log: Log;
  /**
   * Tells the operator in one line why a host could not be looked at, once however many resources it has. A
   * plan says so itself.
   */
  warnOfHost(why: string): Promise<void>;
  /** Appends one line of JSON to the file named by GPU_HOSTS_PLAN, if that is set. */
  writePlan(entry: unknown): void;
  close(): void;
}

/**
 * The inventory out of the stack's configuration, as the engine hands it to us: `{"hosts": "<JSON text>"}`,
 * with or without the namespace before the key. It is today's configuration also during refresh and destroy,
 * unlike Configure's arguments.
 */
export function readConfiguration(config: Readonly<Record<string, unknown>>): {
  inventory: Inventory;
  refreshBeforeUpdate: boolean;
} {
  const key = (name: string) => config[name] ?? config[`gpuhost:${name}`];
  const section = (name: string): unknown => {
    const value = key(name);
    // Nothing behind a key of the stack file is the empty text.
    if (value === "") return undefined;
    return typeof value === "string" ? JSON.parse(value) : value;
  };
  return {
    inventory: readInventory({ hosts: section("hosts"), credentials: section("credentials") }),
    refreshBeforeUpdate: String(key("refreshBeforeUpdate") ?? "false") === "true",
  };
}

/** How long one who only looks waits for a host that does not answer. */
export const lookSeconds = 5;

/**
 * A host that did not answer is not asked again for this long; without it a chain of resources waits for each
 * anew.
 */
const unreachableMilliseconds = 120_000;

export function createRuntime(
  config: Readonly<Record<string, unknown>>,
  log: Log,
  signal: AbortSignal,
): Runtime {
  const { inventory, refreshBeforeUpdate } = readConfiguration(config);
  const pool = openPool(inventory);
  /** Hosts that are being looked for, and those that did not answer. */
  const looks = new Map<
    string,
    { until: number; waited: number; urns: Set<string>; reach: Promise<Reach> }
  >();
  const warned = new Set<string>();
  let approached = false;
  const planFile = process.env.GPU_HOSTS_PLAN;
  const operator = `${userInfo().username}@${hostname()}`;
  const reach: Runtime["reach"] = (name, { on = "linux", withinSeconds, urn }) => {
    const place = `${on} ${name}`;
    const known = looks.get(place);
    // A short look does not speak for one that would wait for a host to boot.
    if (known && Date.now() < known.until && known.waited >= withinSeconds) {
      if (urn) known.urns.add(urn);
      return known.reach;
    }
    const urns = new Set(urn ? [urn] : []);
    const onWait = (line: string) => {
      for (const one of urns) void log(one, "progress", line);
    };
    const look = {
      until: Number.POSITIVE_INFINITY,
      waited: withinSeconds,
      urns,
      reach: pool.reach(name, { on, withinSeconds, onWait }),
    };
    looks.set(place, look);
    const forget = () => looks.get(place) === look && looks.delete(place);
    void look.reach.then(({ state }) => {
      if (state === "unreachable") look.until = Date.now() + unreachableMilliseconds;
      else forget();
    }, forget);
    return look.reach;
  };
  return {
    inventory,
    refreshBeforeUpdate,
    signal,
    operator,
    holder: `${operator}, pid ${process.pid}`,
    log,
    reach,
    approachAll() {
      if (approached) return;
      approached = true;
      const there = Object.entries(inventory.hosts).filter(([, { retire }]) => retire !== "gone");
      // Whoever asks for one gets its error.
      for (const [name, { platform }] of there)
        reach(name, { on: platform, withinSeconds: lookSeconds }).catch(() => undefined);
    },
    async warnOfHost(why) {
      if (planFile || warned.has(why)) return;
      warned.add(why);
      await log("", "warning", why.replaceAll(/\s*\n\s*/g, "; "));
    },
    writePlan(entry) {
      if (planFile) appendFileSync(planFile, `${JSON.stringify(entry)}\n`);
    },
    close: () => void pool.close(),
  };
}
