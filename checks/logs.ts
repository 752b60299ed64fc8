import { setTimeout as sleep } from "node:timers/promises";
import { type JournalEntry, type JournalRange, journal } from "#facts/journal.ts";
import type { Inventory } from "#inventory/inventory.ts";
import { definitions } from "#provider/resources/index.ts";
import type { System } from "#transport/host.ts";
import { openPool } from "#transport/pool.ts";
import { appliedWants, type Deployed, deployedResources, nameOf } from "./deployed.ts";

/** Units of one service on one machine. */
export interface HostUnits {
  readonly host: string;
  /** Which of the hosts of that name. */
  readonly on: System;
  readonly units: readonly string[];
}

/** Units whose journal a deployed resource has; also of one that its first `up` did not finish. */
const journalUnits = (resource: Deployed): readonly string[] =>
  resource.definition?.journalUnits?.(appliedWants(resource) ?? resource.inputs) ?? [];

/**
 * Which units a service has on which machines, by what the stack's state records. Throws, naming the
 * services, if it has none.
 */
export function unitsOf(exported: unknown, service: string): readonly HostUnits[] {
  const services = deployedResources(exported, definitions).filter(
    ({ definition, parent }) => definition?.journalUnits && parent !== undefined,
  );
  const own = services.filter(({ parent }) => nameOf(parent ?? "") === service);
  if (own.length === 0) {
    const known = [...new Set(services.map(({ parent }) => nameOf(parent ?? "")))].sort();
    throw new Error(
      `no service ${service} is deployed; the stack's state has: ${known.join(", ") || "none yet, run up first"}`,
    );
  }
  const places = Map.groupBy(own, ({ host, definition }) => `${definition?.on ?? "linux"} ${host}`);
  return [...places.values()].flatMap(([first, ...others]) => {
    if (!first) return [];
    const { host, definition } = first;
    return [{ host, on: definition?.on ?? "linux", units: [first, ...others].flatMap(journalUnits) }];
  });
}

interface LogOptions {
  /** The last so many of each machine, at least 1. */
  readonly lines: number | undefined;
  readonly since: string | undefined;
  /** Goes on until the signal; without it what is there is enough. */
  readonly follow: AbortSignal | undefined;
  onEntry(host: string, entry: JournalEntry): void;
  /** A machine whose journal cannot be read, at first or while it is followed. */
  onTrouble(host: string, error: Error): void;
}

const reachSeconds = 15;
/** How often a followed journal is asked. */
const pollMilliseconds = 1000;
/** After a failure, so that a machine that is off is not called every second. */
const troubleMilliseconds = 5000;

type Read = (place: HostUnits, range: JournalRange) => Promise<readonly JournalEntry[]>;

/**
 * Reads the journals of machines, at first those of all in the order of time. Following asks for what is new
 * again and again: nothing of ours runs on the machine meanwhile, and it goes on after a lost connection or a
 * reboot. Resolves with whether every machine could be read.
 */
export async function readLogs(
  inventory: Inventory,
  places: readonly HostUnits[],
  options: LogOptions,
): Promise<boolean> {
  const pool = openPool(inventory);
  const { lines, since, follow, onEntry, onTrouble } = options;
  // What is under way then rejects at once.
  follow?.addEventListener("abort", () => void pool.close());
  const read: Read = async ({ host, on, units }, range) => {
    const reached = await pool.reach(host, { on, withinSeconds: reachSeconds });
    if (reached.state === "unreachable") throw reached.error;
    if (reached.state === "absent") throw new Error(reached.reason);
    return await reached.host.ask(journal(units, range));
  };
  try {
    let complete = true;
    const cursors = new Map<string, string>();
    const first = places.map(async (place) => {
      const entries = await read(place, { lines, since }).catch((error: Error) => {
        complete = false;
        if (!follow?.aborted) onTrouble(place.host, error);
        return [];
      });
      const last = entries.at(-1);
      if (last) cursors.set(place.host, last.cursor);
      return entries.map((entry) => ({ host: place.host, entry }));
    });
    const entries = (await Promise.all(first)).flat().sort((a, b) => a.entry.time - b.entry.time);
    for (const { host, entry } of entries) onEntry(host, entry);
    if (follow === undefined) return complete;
    await Promise.all(
      places.map((place) => followOne(place, cursors.get(place.host), read, options, follow)),
    );
    return true;
  } finally {
    await pool.close();
  }
}

async function followOne(
  place: HostUnits,
  from: string | undefined,
  read: Read,
  { lines, since, onEntry, onTrouble }: LogOptions,
  signal: AbortSignal,
): Promise<void> {
  let cursor = from;
  let trouble = false;
  while (await pause(trouble ? troubleMilliseconds : pollMilliseconds, signal)) {
    // Until there is a first entry, there is no place to go on from.
    const asked = read(place, cursor === undefined ? { lines, since } : { after: cursor });
    const entries = await asked.catch((error: Error) => {
      if (!trouble && !signal.aborted) onTrouble(place.host, error);
      return undefined;
    });
    trouble = entries === undefined;
    for (const entry of entries ?? []) onEntry(place.host, entry);
    cursor = entries?.at(-1)?.cursor ?? cursor;
  }
}

/** False when it is over. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
