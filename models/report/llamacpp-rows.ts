import type { ModelFacts } from "#models/facts.ts";
import { requantized } from "#models/fit/advice.ts";
import type { CacheType } from "#models/fit/cache-types.ts";
import { type DeviceNeed, estimateLlamaCpp, type Verdict } from "#models/fit/llamacpp.ts";
import { type Device, type LlamaCppSettings, llamaCppDefaults } from "#models/fit/settings.ts";
import { cardOf } from "#models/report/cards.ts";
import { describedModel, type Quantization } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import type { Point } from "#models/report/points.ts";

/** A llama.cpp point beside its estimate. */
export interface LlamaCppRow {
  readonly point: Point;
  readonly model: ModelFacts;
  readonly settings: LlamaCppSettings;
  readonly verdict: Verdict;
  /**
   * Where the weights come from: summed from a header, or taken from the log because the header is not at
   * hand.
   */
  readonly weights: "header" | "logged";
  /** Of the point's device; `undefined`: the point is of all of them (a refusal). */
  readonly need: DeviceNeed | undefined;
  /** Keys, values and state, predicted less logged, MiB. */
  readonly cacheErrorMiB: number | undefined;
  /** The device's whole, predicted less measured, MiB: with the context where the driver measured it. */
  readonly errorMiB: number | undefined;
}

/** @returns `undefined` when the point's model or card is not described here */
export function llamaCppRow(point: Point): LlamaCppRow | undefined {
  const found = modelOf(point);
  const devices = devicesOf(point);
  if (found === undefined || devices === undefined) return undefined;
  const settings = settingsOf(point);
  const { verdict, devices: needs } = estimateLlamaCpp(found.model, settings, devices);
  const need = point.weightsMiB === undefined ? undefined : needs[deviceIndex(point)];
  return { point, ...found, settings, verdict, need, ...errorsOf(point, found.weights, need) };
}

function errorsOf(point: Point, weights: "header" | "logged", need: DeviceNeed | undefined) {
  const { weightsMiB, cacheMiB, overheadMiB } = point;
  if (need === undefined || weightsMiB === undefined || cacheMiB === undefined || overheadMiB === undefined)
    return { cacheErrorMiB: undefined, errorMiB: undefined };
  const withState = /KV \+ recurrent state/.test(point.quote);
  const cacheErrorMiB = need.cacheMiB + (withState ? need.stateMiB : 0) - cacheMiB;
  const predicted =
    (weights === "header" ? need.weightsMiB : weightsMiB) +
    need.cacheMiB +
    need.computeMiB +
    (point.byDriver ? need.stateMiB + need.contextMiB : 0);
  return {
    cacheErrorMiB: partOfCache(point) ? undefined : cacheErrorMiB,
    errorMiB: predicted - (weightsMiB + cacheMiB + overheadMiB),
  };
}

/** Points whose log gave only one of two caches. */
const partOfCache = ({ quote }: Point) => /sliding-window cache only/.test(quote);

// Bits a weight takes in files whose header is not at hand; its largest tensors matter where experts are
// copied.
const bitsByName: readonly (readonly [RegExp, number])[] = [
  [/IQ3_XXS/, 3.06],
  [/IQ4_XS/, 4.25],
  [/IQ4_K\b|IQ4_NL|Q4_0|\bQ4\b/, 4.5],
  [/MXFP4/, 4.25],
  [/Q5_K_S/, 5.54],
  [/Q6_K/, 6.56],
  [/Q8_0/, 8.5],
];

function modelOf(point: Point): Pick<LlamaCppRow, "model" | "weights"> | undefined {
  const description = describe(point.model);
  if (description === undefined) return undefined;
  const named = /Q4_K_M|Q5_K_M|\bF16(?=;|$)/.exec(point.quantization)?.[0] as Quantization | undefined;
  // The file's size is that of Q4_K_M.
  const exact = named ?? (/17\.3 GiB file/.test(point.quantization) ? "Q4_K_M" : undefined);
  if (exact !== undefined && exact !== "F16")
    return { model: describedModel(description, exact), weights: "header" };
  const bits =
    bitsByName.find(([name]) => name.test(point.quantization))?.[1] ?? (exact === "F16" ? 16 : 4.5);
  return { model: requantized(describedModel(description, "F16"), bits), weights: "logged" };
}

function settingsOf({ context, setup, quantization, quote, version, engine }: Point): LlamaCppSettings {
  const number = (pattern: RegExp) => {
    const found = pattern.exec(setup)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const build = Number(/^b(\d+)/.exec(version)?.[1] ?? 0);
  const shares = /-ts ([\d,]+)/.exec(quote)?.[1]?.split(",").map(Number);
  return {
    ...llamaCppDefaults,
    context,
    parallel: number(/np (\d+)/) ?? 1,
    ubatch: number(/ub (\d+)/) ?? 512,
    cpuExpertLayers: number(/--n-cpu-moe (\d+)/) ?? 0,
    splitMode: /-sm tensor/.test(setup) ? "tensor" : "layer",
    flashAttention: !/no fa/.test(setup) && !/n_copies/.test(setup),
    fullWindowCache: /no sliding-window cache/.test(quantization) || engine === "ik_llama.cpp",
    reservedOutputs: build >= 10_000 ? "slots" : "batch",
    tensorSplit: shares ?? (/n_copies/.test(setup) ? [12, 29] : undefined),
    ...cacheTypesOf(quantization),
  };
}

function cacheTypesOf(quantization: string): Pick<LlamaCppSettings, "cacheTypeK" | "cacheTypeV"> {
  const each = /K (\w+), V (\w+)/.exec(quantization);
  const both = /(\w+) KV/.exec(quantization)?.[1] ?? "f16";
  return { cacheTypeK: (each?.[1] ?? both) as CacheType, cacheTypeV: (each?.[2] ?? both) as CacheType };
}

function devicesOf({ gpu, setup }: Point): readonly Device[] | undefined {
  if (/RPC/.test(setup)) {
    // The worker's card is not named. Its share of the layers is that of 6 GB beside 2 x 12 GB; it held 5717
    // MiB, and 5803 MiB were refused.
    const worker = { name: "RPC0", freeMiB: 5780, totalMiB: 5898, computeCapability: "7.5" };
    const own = (name: string) => cardOf("RTX 3060 (free 11907)", name);
    return [worker, own("CUDA0"), own("CUDA1")].filter((device) => device !== undefined);
  }
  const first = cardOf(gpu, "CUDA0");
  if (first === undefined) return undefined;
  if (/over 2/.test(setup)) return [first, { ...first, name: "CUDA1" }];
  // The second card of this pair is not named.
  if (/n_copies/.test(setup)) return [first, { name: "CUDA1", freeMiB: 24_000, totalMiB: 24_000 }];
  return [first];
}

function deviceIndex({ setup }: Point): number {
  if (/RPC worker device/.test(setup)) return 0;
  const leader = /leader CUDA(\d)/.exec(setup)?.[1];
  if (leader !== undefined) return 1 + Number(leader);
  return Number(/device (\d)/.exec(setup)?.[1] ?? 0);
}
