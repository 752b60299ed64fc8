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
  /** @param options.on which of the hosts of that name */
  reach(
    name: string,
    options: { on?: System | undefined; withinSeconds: number; urn: string },
  ): Promise<Reach>;
  log: Log;
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

/**
 * A host that did not answer is not asked again for this long; without it a chain of resources waits for each
 * anew.
 */
const unreachableMilliseconds = 30_000;

export function createRuntime(
  config: Readonly<Record<string, unknown>>,
  log: Log,
  signal: AbortSignal,
): Runtime {
  const { inventory, refreshBeforeUpdate } = readConfiguration(config);
  const pool = openPool(inventory);
  const silent = new Map<string, { at: number; waited: number; reach: Reach }>();
  const planFile = process.env.GPU_HOSTS_PLAN;
  const operator = `${userInfo().username}@${hostname()}`;
  return {
    inventory,
    refreshBeforeUpdate,
    signal,
    operator,
    holder: `${operator}, pid ${process.pid}`,
    log,
    async reach(name, { on = "linux", withinSeconds, urn }) {
      const place = `${on} ${name}`;
      const known = silent.get(place);
      const recent = known && Date.now() - known.at < unreachableMilliseconds;
      // A short look does not speak for one that would wait for a host to boot.
      if (recent && known.waited >= withinSeconds) return known.reach;
      const reach = await pool.reach(name, {
        on,
        withinSeconds,
        onWait: (line) => void log(urn, "progress", line),
      });
      if (reach.state === "unreachable") silent.set(place, { at: Date.now(), waited: withinSeconds, reach });
      else silent.delete(place);
      return reach;
    },
    writePlan(entry) {
      if (planFile) appendFileSync(planFile, `${JSON.stringify(entry)}\n`);
    },
    close: () => void pool.close(),
  };
}
