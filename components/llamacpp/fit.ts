import {
  type FitGrounds,
  freeMemoryMiB,
  gpusOf,
  memoryPlace,
  type PlacedDevice,
  type PlaceNeed,
  type ServiceFit,
} from "#components/serving/fit.ts";
import { MiB, type ModelFacts } from "#models/facts.ts";
import { largestContext } from "#models/fit/advice.ts";
import { cacheBytes, stateBytes } from "#models/fit/cache.ts";
import { judgeLlamaCpp } from "#models/fit/judge.ts";
import { estimateLlamaCpp, type LlamaCppEstimate } from "#models/fit/llamacpp.ts";
import type { LlamaCppSettings } from "#models/fit/settings.ts";
import { buildOf } from "./build-config.ts";
import { type Built, variantOf } from "./build-problems.ts";
import { type Started, settingsOf } from "./fit-settings.ts";

/** Below this llama-server does not go by itself when a context of 0 does not fit (`--fit-ctx`). */
const leastContext = 4096;

/** A service, as far as memory depends on it. */
type Judged = Built & Started;

/** What is judged: a model on the devices of one service. */
interface Case {
  readonly model: ModelFacts;
  readonly settings: LlamaCppSettings;
  readonly placed: readonly PlacedDevice[];
  /** Of the leader. */
  readonly memoryMiB: number | undefined;
}

/**
 * Whether a service fits its machines; `undefined`: of one of them nobody has recorded which GPUs it has.
 * `gpuLayers: auto` means all of them on GPUs here where there are some: a model of which a part computes on
 * the processor answers some ten times slower, and that is for the operator to say.
 */
export function llamacppFit(service: Judged, grounds: FitGrounds): ServiceFit | undefined {
  const { facts, machines, taken } = grounds;
  const { leader, workers } = service;
  if ([leader, ...workers].some((host) => machines[host]?.gpus === undefined)) return undefined;
  const { settings, doubts } = settingsOf(service);
  const model = { ...facts, doubts: [...facts.doubts, ...doubts] };
  const trained = facts.trainedContext ?? leastContext;
  const asked: Case = {
    model,
    settings: { ...settings, context: settings.context || trained },
    placed: [...workers, leader].flatMap((host) => devicesOf(service, host, grounds)),
    memoryMiB: freeMemoryMiB(leader, machines[leader] ?? {}, taken),
  };
  const context = settings.context === 0 && asked.placed.length > 0 ? shrunk(asked) : undefined;
  if (context !== undefined) {
    const { text, needs } = judged({ ...asked, settings: { ...asked.settings, context } }, leader);
    const less = `of the ${trained} tokens that it was trained for ${context} fit: llama-server will take that many or fewer`;
    return { decision: "warn", text: `${less}; ${text}`, needs };
  }
  const { decision, text, needs } = judged(asked, leader);
  const partly = decision === "refuse" ? partlyText(asked, leader) : "";
  return { decision, text: `${text}${partly}`, needs };
}

/** A context that llama-server would go down to by itself; `undefined`: it need not, or cannot. */
function shrunk({ model, settings, placed, memoryMiB }: Case): number | undefined {
  const devices = placed.map(({ device }) => device);
  const fits = (context: number) =>
    estimateLlamaCpp(model, { ...settings, context }, devices, memoryMiB).verdict !== "does-not-fit";
  if (fits(settings.context) || !fits(leastContext)) return undefined;
  return largestContext(settings.context, fits, leastContext / 4);
}

function judged({ model, settings, placed, memoryMiB }: Case, leader: string): ServiceFit {
  const devices = placed.map(({ device }) => device);
  const { decision, text, estimate } = judgeLlamaCpp(model, settings, devices, memoryMiB);
  const silent = estimate.verdict === "unknown" || (devices.length === 0 && memoryMiB === undefined);
  const needs = [
    ...needsOf(placed, estimate),
    memoryNeed({ model, settings, placed, memoryMiB }, estimate, leader),
  ];
  return { decision: silent ? "unknown" : decision, text, needs };
}

/** What a machine computes with: its GPUs, unless the build has none; a worker without lends its memory. */
function devicesOf({ build, leader }: Judged, host: string, { machines, taken }: FitGrounds): PlacedDevice[] {
  const record = machines[host] ?? {};
  const wanted = buildOf(build);
  const chosen = wanted.way === "packages" ? undefined : variantOf(wanted, host, record);
  const gpus = chosen && "variant" in chosen && chosen.variant === "cpu" ? [] : gpusOf(host, record, taken);
  if (gpus.length > 0 || host === leader) return gpus;
  const freeMiB = freeMemoryMiB(host, record, taken);
  return [{ host, place: memoryPlace, device: { name: `${host} (memory)`, freeMiB } }];
}

/** How many layers could be on the GPUs if the rest stays with the leader's processor, in words. */
function partlyText(asked: Case, leader: string): string {
  const { model, settings, placed, memoryMiB } = asked;
  if (placed.length === 0 || memoryMiB === undefined || settings.gpuLayers !== "all") return "";
  const devices = placed.map(({ device }) => device);
  const fits = (gpuLayers: number) =>
    estimateLlamaCpp(model, { ...settings, gpuLayers }, devices, memoryMiB).verdict === "fits";
  const most = model.layers.map((_, index) => model.layers.length - index).find(fits);
  if (most === undefined) return "";
  return `; or with gpuLayers: ${most} of ${model.layers.length + 1}, the rest on ${leader}'s processor, much slower`;
}

const needsOf = (placed: readonly PlacedDevice[], { devices }: LlamaCppEstimate): PlaceNeed[] =>
  placed.flatMap(({ host, place, device }, index) => {
    const need = devices[index];
    // With one device alone (`-sm none`) the others have nothing to hold.
    if (need === undefined) return [];
    const { weightsMiB, cacheMiB, stateMiB, computeMiB, contextMiB } = need;
    const overheadMiB = computeMiB + contextMiB;
    return [{ host, place, weightsMiB, cacheMiB: cacheMiB + stateMiB, overheadMiB, freeMiB: device.freeMiB }];
  });

/** What stays in the leader's own memory: the input table at least, all of it without a GPU. */
function memoryNeed(
  { model, settings, placed, memoryMiB }: Case,
  estimate: LlamaCppEstimate,
  leader: string,
): PlaceNeed {
  const { machineMiB } = estimate;
  const alone = placed.length === 0;
  const cache = (layer: ModelFacts["layers"][number]) =>
    cacheBytes(layer, settings) + stateBytes(layer, settings);
  const cacheMiB = alone ? model.layers.reduce((sum, layer) => sum + cache(layer), 0) / MiB : 0;
  const weightsMiB = Math.min(machineMiB - cacheMiB, model.totalBytes / MiB);
  const overheadMiB = machineMiB - cacheMiB - weightsMiB;
  return { host: leader, place: memoryPlace, weightsMiB, cacheMiB, overheadMiB, freeMiB: memoryMiB };
}
