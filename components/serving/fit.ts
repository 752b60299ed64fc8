import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { ModelFacts } from "#models/facts.ts";
import { plannedDevice } from "#models/fit/device-memory.ts";
import type { Device } from "#models/fit/settings.ts";
import type { HubModel } from "#models/read-facts.ts";
import type { MachineRecord } from "./machine.ts";
import type { Model } from "./service-schema.ts";

/** What one place of a machine has to hold for a service, MiB. */
export interface PlaceNeed {
  readonly host: string;
  /** `GPU 0`, or `memory` for the machine's own. */
  readonly place: string;
  readonly weightsMiB: number;
  /** Keys, values and recurrent state. */
  readonly cacheMiB: number;
  /** Compute buffer and what the driver takes for a program. */
  readonly overheadMiB: number;
  /** Free for this service; `undefined`: nothing tells. */
  readonly freeMiB: number | undefined;
}

/** Whether a service fits its machines, as far as the inventory and the model's facts tell. */
export interface ServiceFit {
  /** `refuse`: it cannot work. `unknown`: a device does not tell its memory. */
  readonly decision: "pass" | "warn" | "refuse" | "unknown";
  /** One line: verdict, numbers and what would fit. */
  readonly text: string;
  readonly needs: readonly PlaceNeed[];
}

/** What a service is judged with. */
export interface FitGrounds {
  readonly facts: ModelFacts;
  readonly machines: Readonly<Record<string, MachineRecord>>;
  /** What services that are judged before take of a place, MiB, by {@link placeKey}. */
  readonly taken: Readonly<Record<string, number>>;
}

/** A place of a machine in one word. */
export const placeKey = (host: string, place: string): string => `${host} ${place}`;

/** Of the machine itself, free for services. */
export const memoryPlace = "memory";

/**
 * Where facts of models are kept on this machine: below `~/.cache/gpu-hosts`, or below what GPU_HOSTS_CACHE
 * names.
 */
export const factsFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  resolve(env.GPU_HOSTS_CACHE ?? join(homedir(), ".cache", "gpu-hosts"), "models");

/** The model of a service on the hub; `undefined`: its files come from elsewhere, so there are no facts. */
export function hubModelOf({ repo, revision, files }: Model): HubModel | undefined {
  if (repo === undefined || revision === undefined) return undefined;
  const file = Object.keys(files).find((name) => name.endsWith(".gguf"));
  return { repository: repo, revision, file };
}

/** What a system without services takes of its memory, MiB: an allowance. */
const systemMiB = (memoryMiB: number) => Math.min(1024, memoryMiB / 10);

/** Memory of a machine that is free for services, MiB; `undefined`: it is not recorded. */
export function freeMemoryMiB(
  host: string,
  { memoryGiB }: MachineRecord,
  taken: FitGrounds["taken"],
): number | undefined {
  if (memoryGiB === undefined) return undefined;
  const memoryMiB = memoryGiB * 1024;
  const others = taken[placeKey(host, memoryPlace)] ?? 0;
  return Math.max(0, memoryMiB - systemMiB(memoryMiB) - others);
}

/** A device of an engine, and the place of the machine that it is. */
export interface PlacedDevice {
  readonly host: string;
  readonly place: string;
  readonly device: Device;
}

/** The GPUs of a machine, as devices to plan with. */
export function gpusOf(host: string, record: MachineRecord, taken: FitGrounds["taken"]): PlacedDevice[] {
  const gpus = record.gpus ?? [];
  return gpus.map(({ memoryGiB, computeCapability }, index) => {
    const place = `GPU ${index}`;
    const name = gpus.length === 1 ? host : `${host} ${place}`;
    // A GPU that its driver knows and that has no memory of its own shares the machine's.
    const shared = computeCapability === undefined ? undefined : freeMemoryMiB(host, record, taken);
    const memoryMiB = memoryGiB === undefined ? undefined : memoryGiB * 1024;
    const declaredMiB = taken[placeKey(host, place)] ?? 0;
    return {
      host,
      place,
      device: plannedDevice(name, { memoryMiB, computeCapability }, { declaredMiB }, shared),
    };
  });
}
