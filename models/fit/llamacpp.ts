import { type LayerFacts, MiB, type ModelFacts } from "#models/facts.ts";
import { cacheBytes, stateBytes } from "#models/fit/cache.ts";
import { computeBytes, type Part } from "#models/fit/compute.ts";
import { cudaContextMiB, type Device, type LlamaCppSettings } from "#models/fit/settings.ts";
import { splitLayers } from "#models/fit/split.ts";

/**
 * `fits`; `fits-without-pipelining`: on several devices llama.cpp retries with a smaller compute buffer and
 * reads prompts a little slower; `does-not-fit`; `unknown`: a device does not tell its memory.
 */
export type Verdict = "fits" | "fits-without-pipelining" | "does-not-fit" | "unknown";

/** What one device has to hold, MiB. */
export interface DeviceNeed {
  readonly device: Device;
  readonly weightsMiB: number;
  readonly cacheMiB: number;
  readonly stateMiB: number;
  readonly computeMiB: number;
  readonly contextMiB: number;
  readonly totalMiB: number;
}

export interface LlamaCppEstimate {
  readonly verdict: Verdict;
  /** Why this is an estimate and no sum; empty: it is the sum of what llama.cpp allocates. */
  readonly doubts: readonly string[];
  /** One for each device, as the verdict leaves them: with pipelining where that fits. */
  readonly devices: readonly DeviceNeed[];
  /**
   * What stays in the machine's own memory, MiB: input table, layers and experts that no GPU takes, their
   * cache.
   */
  readonly machineMiB: number;
}

/**
 * Whether llama.cpp can serve a model with these settings.
 * @param devices in llama.cpp's order: those of RPC workers in the order of `--rpc`, then the machine's own.
 * Empty: the
 *   processor computes, and everything is in `machineMiB`
 * @param machineFreeMiB memory of the machine itself that is free, where it should be judged too
 */
export function estimateLlamaCpp(
  model: ModelFacts,
  settings: LlamaCppSettings,
  devices: readonly Device[],
  machineFreeMiB?: number,
): LlamaCppEstimate {
  const used = settings.splitMode === "none" ? devices.slice(0, 1) : devices;
  const needs = (pipelined: boolean) =>
    settings.splitMode === "tensor"
      ? evenNeeds(model, settings, used)
      : layerNeeds(model, settings, used, pipelined);
  const fits = (found: readonly DeviceNeed[]) =>
    found.every(({ device, totalMiB }) => totalMiB <= (device.freeMiB ?? 0));
  const pipelined = canPipeline(model, settings, used) ? needs(true) : undefined;
  const plain = needs(false);
  const machineMiB = machineNeed(model, settings, used);
  const machineFits = machineFreeMiB === undefined || machineMiB <= machineFreeMiB;
  const verdict = (): Verdict => {
    if (used.some(({ freeMiB }) => freeMiB === undefined)) return "unknown";
    if (!machineFits || !fits(plain)) return "does-not-fit";
    return pipelined === undefined || fits(pipelined) ? "fits" : "fits-without-pipelining";
  };
  const found = verdict();
  return {
    verdict: found,
    doubts: model.doubts,
    devices: found === "fits" ? (pipelined ?? plain) : plain,
    machineMiB,
  };
}

/**
 * Layers for each device, as `-ts` takes them, with which a model fits that does not fit by free memory: one
 * layer at a time is moved from the device that lacks most to the one that has most left.
 * @returns `undefined`: shares were given, or none were found
 */
export function fittingSplit(
  model: ModelFacts,
  settings: LlamaCppSettings,
  devices: readonly Device[],
): readonly number[] | undefined {
  if (settings.splitMode !== "layer" || settings.tensorSplit !== undefined || devices.length < 2)
    return undefined;
  const places = placementOf(model, settings, devices);
  const shares = devices.map((_, index) => places.filter((place) => place === index).length);
  for (const _ of places) {
    const tensorSplit = [...shares];
    const left = layerNeeds(model, { ...settings, tensorSplit }, devices, false).map(
      ({ device, totalMiB }) => (device.freeMiB ?? 0) - totalMiB,
    );
    if (left.every((it) => it >= 0)) return tensorSplit;
    const from = left.indexOf(Math.min(...left));
    const to = left.indexOf(Math.max(...left));
    if (shares[from] === 0) return undefined;
    shares[from] = (shares[from] ?? 0) - 1;
    shares[to] = (shares[to] ?? 0) + 1;
  }
  return undefined;
}

/**
 * llama-context.cpp: several devices, whole layers split, everything on them, and no tensors placed by hand.
 */
const canPipeline = (model: ModelFacts, settings: LlamaCppSettings, devices: readonly Device[]) =>
  devices.length > 1 &&
  settings.splitMode === "layer" &&
  onGpu(model, settings) > model.layers.length &&
  settings.cpuExpertLayers === 0;

const onGpu = ({ layers }: ModelFacts, { gpuLayers }: LlamaCppSettings) =>
  gpuLayers === "all" ? layers.length + 1 : Math.min(gpuLayers, layers.length + 1);

function placementOf(model: ModelFacts, settings: LlamaCppSettings, devices: readonly Device[]) {
  const shares = devices.map(({ freeMiB = 1 }, index) => settings.tensorSplit?.[index] ?? freeMiB);
  return splitLayers(model.layers.length, onGpu(model, settings), shares);
}

function layerNeeds(
  model: ModelFacts,
  settings: LlamaCppSettings,
  devices: readonly Device[],
  pipelined: boolean,
): DeviceNeed[] {
  const places = placementOf(model, settings, devices);
  const copiedTensorBytes = largestCopied(model, settings, places);
  return devices.map((device, index) => {
    const indices = model.layers.flatMap((_, layer) => (places[layer] === index ? [layer] : []));
    const layers = indices.map((layer) => model.layers[layer]).filter((layer) => layer !== undefined);
    const hasOutput = places.at(-1) === index;
    const weights =
      sum(indices, (layer) => gpuWeights(model, settings, layer)) + (hasOutput ? model.outputBytes : 0);
    return need(
      model,
      settings,
      device,
      { layers, hasOutput, copiedTensorBytes },
      { weights, pipelined, share: 1 },
    );
  });
}

/**
 * Where devices add up each other's parts the driver shows more than buffers and context: 208 MiB and not 131
 * on two RTX 3060 (five points of one machine, two models).
 */
const exchangeMiB = 100;

/** `-sm tensor` cuts every tensor and the cache evenly; each device computes as if it were alone. */
function evenNeeds(model: ModelFacts, settings: LlamaCppSettings, devices: readonly Device[]): DeviceNeed[] {
  const weights = sum(model.layers.keys(), (layer) => gpuWeights(model, settings, layer)) + model.outputBytes;
  const share = 1 / devices.length;
  const part = { layers: model.layers, hasOutput: true, copiedTensorBytes: 0 };
  return devices.map((device) => {
    const found = need(model, settings, device, part, { weights: weights * share, pipelined: false, share });
    const contextMiB = found.contextMiB + exchangeMiB;
    return { ...found, contextMiB, totalMiB: found.totalMiB + exchangeMiB };
  });
}

function need(
  model: ModelFacts,
  settings: LlamaCppSettings,
  device: Device,
  part: Part,
  { weights, pipelined, share }: { weights: number; pipelined: boolean; share: number },
): DeviceNeed {
  const weightsMiB = weights / MiB;
  const cacheMiB = (sum(part.layers, (layer) => cacheBytes(layer, settings)) * share) / MiB;
  const stateMiB = (sum(part.layers, (layer) => stateBytes(layer, settings)) * share) / MiB;
  const computeMiB = computeBytes(model, part, settings, pipelined) / MiB;
  const contextMiB = cudaContextMiB(device);
  const totalMiB = weightsMiB + cacheMiB + stateMiB + computeMiB + contextMiB;
  return { device, weightsMiB, cacheMiB, stateMiB, computeMiB, contextMiB, totalMiB };
}

/** Of a layer's weights, what a GPU holds. */
function gpuWeights(model: ModelFacts, settings: LlamaCppSettings, index: number): number {
  const layer = model.layers[index];
  if (layer === undefined) return 0;
  return layer.weightBytes - (index < settings.cpuExpertLayers ? layer.expertBytes : 0);
}

/** With weights in the machine's memory a long prompt copies them to the GPU, tensor by tensor. */
function largestCopied(
  model: ModelFacts,
  settings: LlamaCppSettings,
  places: readonly (number | undefined)[],
): number {
  const of = (layer: LayerFacts, index: number) => {
    if (places[index] === undefined) return Math.max(layer.largestExpertBytes, layer.weightBytes / 4);
    return index < settings.cpuExpertLayers ? layer.largestExpertBytes : 0;
  };
  return Math.max(0, ...model.layers.map(of));
}

function machineNeed(model: ModelFacts, settings: LlamaCppSettings, devices: readonly Device[]): number {
  const places = placementOf(model, settings, devices);
  const left = model.layers.filter((_, index) => places[index] === undefined);
  const layers = sum(left, (it) => it.weightBytes + cacheBytes(it, settings) + stateBytes(it, settings));
  const experts = sum(model.layers.keys(), (index) => {
    const layer = model.layers[index];
    return layer === undefined || places[index] === undefined
      ? 0
      : layer.weightBytes - gpuWeights(model, settings, index);
  });
  const part = { layers: left, hasOutput: places.at(-1) === undefined, copiedTensorBytes: 0 };
  // Without an output of its own a model's token table is in the machine's memory already.
  const output = part.hasOutput
    ? Math.max(0, model.totalBytes - model.inputBytes - sum(model.layers, (it) => it.weightBytes))
    : 0;
  const compute = computeBytes(model, part, settings, false);
  return (model.inputBytes + layers + experts + output + compute) / MiB;
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
