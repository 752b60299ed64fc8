import { type LayerFacts, MiB, type ModelFacts } from "#models/facts.ts";
import { cudaContextMiB, type Device } from "#models/fit/settings.ts";

/** How `vllm serve` is started, as far as memory depends on it. */
export interface VllmSettings {
  /** Tokens of one request (`--max-model-len`). */
  readonly maxModelLen: number;
  /** Share of a GPU's total memory that vLLM takes (`--gpu-memory-utilization`). */
  readonly memoryShare: number;
  readonly tensorParallel: number;
  readonly pipelineParallel: number;
  /** Bytes of a cached number: 2, or 1 with `--kv-cache-dtype fp8`. */
  readonly cacheBytes: number;
  /** `--max-num-batched-tokens`; `undefined`: vLLM's own, 8192 from 70 GiB on and 2048 below. */
  readonly batchedTokens?: number | undefined;
  /** `--max-num-seqs`; the sampler is warmed up for that many. */
  readonly sequences: number;
  /** `--enforce-eager`: no CUDA graphs. */
  readonly eager: boolean;
  /** Whether the share has to hold the CUDA graphs too, as it does since about 0.21. */
  readonly graphsInShare: boolean;
}

/** vLLM's own defaults (0.33). */
export const vllmDefaults: VllmSettings = {
  maxModelLen: 4096,
  memoryShare: 0.92,
  tensorParallel: 1,
  pipelineParallel: 1,
  cacheBytes: 2,
  sequences: 256,
  eager: false,
  graphsInShare: true,
};

/** What one GPU has to hold, MiB. */
interface VllmNeed {
  readonly device: Device;
  /** The share of its memory. */
  readonly budgetMiB: number;
  readonly weightsMiB: number;
  /** Context, NCCL and all else that torch does not count. */
  readonly contextMiB: number;
  /** Peak of a full batch or of the sampler. */
  readonly activationMiB: number;
  readonly graphsMiB: number;
  /** Left of the share for the cache; below 0 the engine does not start. */
  readonly cacheMiB: number;
}

export interface VllmEstimate {
  readonly verdict: "fits" | "does-not-fit" | "unknown";
  readonly doubts: readonly string[];
  readonly devices: readonly VllmNeed[];
  /** Cache that one request of full length takes on a GPU, MiB. */
  readonly requestMiB: number;
  /** Requests of full length at once; below 1 it does not fit, below 2 it is tight. */
  readonly concurrency: number;
  /** Tokens in the cache, as vLLM logs them (`GPU KV cache size`). */
  readonly tokens: number;
  /** Why it does not fit where the sum alone does not say it. */
  readonly reasons: readonly string[];
}

/**
 * Whether vLLM can serve a model with these settings.
 * @param devices the GPUs of all ranks, as many as tensor times pipeline parallel
 */
export function estimateVllm(
  model: ModelFacts,
  settings: VllmSettings,
  devices: readonly Device[],
): VllmEstimate {
  const needs = devices.map((device) => needOf(model, settings, device));
  const requestMiB = (requestBytes(model, settings) * hybridFactor(model)) / MiB;
  const smallest = Math.min(...needs.map(({ cacheMiB }) => cacheMiB));
  const concurrency = requestMiB > 0 ? smallest / requestMiB : 0;
  const reasons = [...parallelProblems(model, settings, devices), ...needs.flatMap(shareProblem)];
  const unknown = devices.some((device) => memoryOf(device) === undefined);
  const fits = concurrency >= 1 && reasons.length === 0;
  return {
    verdict: unknown ? "unknown" : fits ? "fits" : "does-not-fit",
    doubts: model.doubts,
    devices: needs,
    requestMiB,
    concurrency,
    tokens: Math.floor(Math.max(0, concurrency) * settings.maxModelLen),
    reasons,
  };
}

/**
 * What is wrong with the split itself, before any memory is counted.
 * @returns sentences; empty: nothing
 */
function parallelProblems(
  model: ModelFacts,
  { tensorParallel, pipelineParallel }: VllmSettings,
  devices: readonly Device[],
): readonly string[] {
  const ranks = tensorParallel * pipelineParallel;
  return [
    ...(model.heads % tensorParallel === 0
      ? []
      : [`tensor parallel ${tensorParallel} does not divide the model's ${model.heads} attention heads`]),
    ...(pipelineParallel <= model.layers.length
      ? []
      : [`pipeline parallel ${pipelineParallel} is more than the model's ${model.layers.length} layers`]),
    ...(devices.length === ranks
      ? []
      : [
          `tensor parallel ${tensorParallel} times pipeline parallel ${pipelineParallel} needs ${ranks} GPUs, not ${devices.length}`,
        ]),
  ];
}

const memoryOf = ({ totalMiB, freeMiB }: Device) => totalMiB ?? freeMiB;

function shareProblem({ device, budgetMiB }: VllmNeed): string[] {
  if (device.freeMiB === undefined || budgetMiB <= device.freeMiB) return [];
  const free = Math.floor(device.freeMiB);
  const share = Math.floor((device.freeMiB / (memoryOf(device) ?? device.freeMiB)) * 100) / 100;
  return [
    `${device.name}: vLLM takes ${Math.ceil(budgetMiB)} MiB at once and ${free} MiB are free; a memory share of ${share} would do`,
  ];
}

function needOf(model: ModelFacts, settings: VllmSettings, device: Device): VllmNeed {
  const { tensorParallel, pipelineParallel } = settings;
  const budgetMiB = (memoryOf(device) ?? 0) * settings.memoryShare;
  const weightsMiB =
    (model.totalBytes * stageShare(model, settings)) / tensorParallel / MiB + repackedMiB(model, settings);
  const contextMiB =
    cudaContextMiB(device) + (tensorParallel * pipelineParallel > 1 ? communicationMiB(device) : 0);
  const activationMiB = activationBytes(model, settings, memoryOf(device) ?? 0) / MiB;
  const graphsMiB = settings.eager || !settings.graphsInShare ? 0 : 350;
  const cacheMiB = budgetMiB - weightsMiB - contextMiB - activationMiB - graphsMiB;
  return { device, budgetMiB, weightsMiB, contextMiB, activationMiB, graphsMiB, cacheMiB };
}

/** Part of the layers that the largest stage of a pipeline has. */
const stageShare = ({ layers }: ModelFacts, { pipelineParallel }: VllmSettings) =>
  pipelineParallel === 1 ? 1 : Math.ceil(layers.length / pipelineParallel) / layers.length;

/**
 * NCCL and all-reduce buffers, MiB. Logged in all: 256 MiB of non-torch memory on RTX 4090 at tensor parallel
 * 2 (vllm #13061),
 * 1.79 GiB more than alone on H100 with NVLink (vllm PR 10511).
 */
const communicationMiB = ({ computeCapability }: Device) =>
  /^(9|10)\./.test(computeCapability ?? "") ? 1830 : 100;

/**
 * MXFP4 weights are padded and repacked for the card, and more than the file stays taken: gpt-oss-120b, 60.8
 * GiB of files, takes 66 GiB on H100 and another 7.5 GiB are missing (vllm #23278, #27508). An allowance of a
 * fifth.
 */
const repackedMiB = (model: ModelFacts, { tensorParallel, pipelineParallel }: VllmSettings) =>
  model.doubts.some((doubt) => doubt.startsWith("MXFP4"))
    ? model.totalBytes / 5 / tensorParallel / pipelineParallel / MiB
    : 0;

/**
 * The profiling run: a full batch through the widest layer, in 16 bit; then as many rows of logits as
 * sequences.
 */
export function activationBytes(model: ModelFacts, settings: VllmSettings, memoryMiB: number): number {
  const batch = settings.batchedTokens ?? (memoryMiB >= 70 * 1024 ? 8192 : 2048);
  const widths = model.layers.map(({ work }) => {
    const own = work.feedForward / settings.tensorParallel;
    const gathered = work.experts > 0 ? own + Math.max(2 * own, work.experts * model.width) : 3 * own;
    return gathered + 3 * model.width;
  });
  const forward = batch * Math.max(0, ...widths) * 2;
  // Logits in 16 and in 32 bit, the probabilities, and half of that for what is sorted.
  const sampler = Math.min(settings.sequences, batch) * model.vocabulary * 12;
  return Math.max(forward, sampler);
}

/** Cache of one request of full length on one GPU, bytes. */
export function requestBytes(model: ModelFacts, settings: VllmSettings): number {
  const batch = settings.batchedTokens ?? 8192;
  const all = model.layers.reduce((sum, layer) => {
    const tokens = Math.min(settings.maxModelLen, (layer.cache?.window ?? Infinity) + batch);
    return sum + tokens * tokenBytes(layer, settings) + layer.stateBytes / settings.tensorParallel;
  }, 0);
  return all * stageShare(model, settings);
}

/**
 * Bytes of a token in a layer on one GPU. Heads are divided, and repeated once there are more GPUs; MLA is on
 * each whole.
 */
export function tokenBytes({ cache }: LayerFacts, { tensorParallel, cacheBytes }: VllmSettings): number {
  if (cache === undefined) return 0;
  const share = cache.valueWidth === 0 ? 1 : 1 / Math.min(tensorParallel, cache.heads);
  return (cache.keyWidth + cache.valueWidth) * cacheBytes * share;
}

/**
 * Hybrids waste part of the cache: pages are as large as a state and layers are padded to equal groups (vllm
 * #51041).
 */
const hybridFactor = (model: ModelFacts) =>
  model.layers.some(({ stateBytes }) => stateBytes > 0) ? 1.16 : 1;
