import { engines as allEngines, type Engines } from "#components/engines.ts";
import type { Service } from "#components/serving/engine.ts";
import {
  type FitGrounds,
  factsFolder,
  type PlaceNeed,
  placeKey,
  type ServiceFit,
} from "#components/serving/fit.ts";
import type { MachineRecord } from "#components/serving/machine.ts";
import type { ModelFacts } from "#models/facts.ts";
import { type HubModel, knownHubFacts } from "#models/read-facts.ts";
import { engineOf } from "./claims.ts";
import { serviceSchema } from "./schema.ts";

export { factsFolder, type ServiceFit };

/** What is known of a service's memory. */
export interface JudgedService {
  readonly name: string;
  /** Its model on the hub; `undefined`: it is not there, or the engine judges nothing. */
  readonly model: HubModel | undefined;
  /** `undefined`: the model's facts were not read yet, or too little is recorded of its machines. */
  readonly fit: ServiceFit | undefined;
  readonly factsKnown: boolean;
}

type Taken = Record<string, number>;

/** How services are judged. */
export interface JudgedBy {
  readonly engines?: Engines;
  /** Facts of a model; `undefined`: nobody has read them. Default: what this machine has read before. */
  readonly facts?: (model: HubModel) => ModelFacts | undefined;
}

/** Facts that were read before and are kept in a folder; asks nobody. */
export const factsIn =
  (folder: string) =>
  (model: HubModel): ModelFacts | undefined =>
    knownHubFacts(folder, model);

/**
 * Whether services fit their machines, in the order in which they are written: what one takes of a GPU is not
 * free for the next. Services on machines that are not in the inventory are left out.
 */
export function judgeServices(
  services: Readonly<Record<string, Service>>,
  machines: Readonly<Record<string, MachineRecord>>,
  { engines = allEngines, facts = factsIn(factsFolder()) }: JudgedBy = {},
): { readonly judged: readonly JudgedService[]; readonly taken: FitGrounds["taken"] } {
  const taken: Taken = {};
  const judged = Object.entries(services).flatMap(([name, service]): JudgedService[] => {
    const engine = engineOf(service, engines);
    const seats = engine?.placement(service).seats ?? [];
    if (engine === undefined || !seats.every(({ host }) => Object.hasOwn(machines, host))) return [];
    const model = engine.hubModel?.(service);
    const found = model === undefined ? undefined : facts(model);
    const fit = found === undefined ? undefined : engine.fit?.(service, { facts: found, machines, taken });
    for (const need of fit?.needs ?? []) take(taken, need);
    return [{ name, model, fit, factsKnown: found !== undefined }];
  });
  return { judged, taken };
}

function take(taken: Taken, { host, place, weightsMiB, cacheMiB, overheadMiB }: PlaceNeed): void {
  const key = placeKey(host, place);
  taken[key] = (taken[key] ?? 0) + weightsMiB + cacheMiB + overheadMiB;
}

/** A line for each service that is tight, or whose estimate says no and is not sure. */
export const fitWarnings = (judged: readonly JudgedService[]): string[] =>
  judged.flatMap(({ name, fit }) => (fit?.decision === "warn" ? [`${name}: ${fit.text}`] : []));

/**
 * Whether one more service would fit beside those that take something already.
 * @param raw as it would stand in the stack file
 * @returns `undefined`: too little is recorded of its machines
 */
export function fitBeside(
  raw: unknown,
  { hosts, taken, facts }: Omit<FitGrounds, "machines"> & { readonly hosts: FitGrounds["machines"] },
  engines: Engines = allEngines,
): ServiceFit | undefined {
  const service = serviceSchema(engines).parse(raw);
  return engineOf(service, engines)?.fit?.(service, { facts, machines: hosts, taken });
}
