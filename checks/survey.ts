import { fileSystemOf } from "#facts/df.ts";
import { type InterfaceAddress, ipv4Addresses } from "#facts/ip-address.ts";
import { cpuCores } from "#facts/lscpu.ts";
import { nvidiaCards, type PciGpu } from "#facts/lspci.ts";
import { memoryTotal } from "#facts/meminfo.ts";
import { type GpuReading, gpus } from "#facts/nvidia-smi.ts";
import { type OsRelease, osRelease } from "#facts/os-release.ts";
import { uname } from "#facts/uname.ts";
import { type MachineFacts, machineFacts } from "#inventory/machine-facts.ts";
import { parseValue, problemLines } from "#inventory/problems.ts";
import { HostError } from "#transport/errors.ts";
import { oneLine } from "#transport/harmless.ts";
import type { Fact, Host } from "#transport/host.ts";

/** What a machine tells of itself, each text harmless and in one line. */
export interface Survey {
  /** What the inventory keeps. */
  readonly facts: MachineFacts;
  /** What the machine told and the inventory could not hold, a line each: `driver: must be a version …`. */
  readonly leftOut: readonly string[];
  readonly system: OsRelease;
  readonly hostname: string;
  readonly addresses: readonly InterfaceAddress[];
  /** Room for models at the moment. */
  readonly freeGiB: number | undefined;
  /** Why cards that are there cannot be used yet; undefined if there are none, or all answer. */
  readonly gpuTrouble: string | undefined;
}

const gib = 2 ** 30;
const tenths = (value: number) => Math.round(value * 10) / 10;

/**
 * Reads all of it in one round trip. What a machine has no tool for, or does not answer in time, is left out.
 */
export async function survey(host: Host): Promise<Survey> {
  const [system, names, cores, memory, disk, addresses, reading, cards] = await Promise.all([
    host.ask(osRelease),
    host.ask(uname),
    unlessUnknown(host, cpuCores),
    unlessUnknown(host, memoryTotal),
    unlessUnknown(host, fileSystemOf("/var/lib")),
    unlessUnknown(host, ipv4Addresses),
    unlessUnknown(host, gpus),
    unlessUnknown(host, nvidiaCards),
  ]);
  const { found, trouble } = gpusOf(reading, cards ?? []);
  const told = {
    release: system.name,
    architecture: names.architecture,
    ...(cores === undefined ? {} : { cpuCores: cores }),
    ...(memory === undefined ? {} : { memoryGiB: tenths(memory / gib) }),
    ...(disk === undefined ? {} : { diskGiB: Math.round(disk.size / gib) }),
    ...(reading?.state === "ok" && reading.gpus[0]?.driver ? { driver: reading.gpus[0].driver } : {}),
    gpus: found,
  };
  return {
    ...keepKnownFacts(told),
    system: { ...system, name: oneLine(system.name) },
    hostname: oneLine(names.hostname),
    addresses: (addresses ?? []).map((it) => ({ ...it, device: oneLine(it.device) })),
    freeGiB: disk && Math.round(disk.available / gib),
    gpuTrouble: trouble && oneLine(trouble),
  };
}

/**
 * What the schema of the inventory takes of it, each text harmless: one odd answer must not make the stack file
 * unusable for all machines.
 */
function keepKnownFacts(told: MachineFacts): Pick<Survey, "facts" | "leftOut"> {
  const plain: MachineFacts = JSON.parse(JSON.stringify(told), (_, value) =>
    typeof value === "string" ? oneLine(value) : value,
  );
  const { problems } = parseValue(machineFacts, plain, []);
  const wrong = new Set(problems.map(({ path: [key] }) => key));
  const facts = Object.fromEntries(Object.entries(plain).filter(([key]) => !wrong.has(key)));
  return { facts, leftOut: problemLines(problems) };
}

async function unlessUnknown<T>(host: Host, fact: Fact<T>): Promise<T | undefined> {
  try {
    return await host.ask(fact);
  } catch (error) {
    if (error instanceof HostError && (error.kind === "answer" || error.kind === "timeout")) return undefined;
    throw error;
  }
}

type Gpus = NonNullable<MachineFacts["gpus"]>;

/** The driver knows most; where none answers, the bus at least shows which cards there are. */
function gpusOf(
  reading: GpuReading | undefined,
  cards: readonly PciGpu[],
): { readonly found: Gpus; readonly trouble: string | undefined } {
  if (reading?.state === "ok") {
    const found = reading.gpus.map(({ name, memoryTotalMib, computeCapability, uuid }) => ({
      model: name,
      ...(memoryTotalMib ? { memoryGiB: tenths(memoryTotalMib / 1024) } : {}),
      ...(computeCapability === undefined ? {} : { computeCapability }),
      ...(uuid === "" ? {} : { uuid }),
    }));
    return { found, trouble: undefined };
  }
  const found = cards.map(({ model, id }) => ({ model, pciId: id }));
  if (found.length === 0) return { found, trouble: undefined };
  return { found, trouble: reading?.reason ?? "nvidia-smi did not answer" };
}
