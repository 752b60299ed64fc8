import { MiB, type ModelFacts } from "#models/facts.ts";
import { activationBytes, requestBytes, type VllmSettings } from "#models/fit/vllm.ts";

/** What vLLM takes of a machine without GPUs, MiB. */
export interface VllmCpuEstimate {
  readonly verdict: "fits" | "does-not-fit" | "unknown";
  readonly doubts: readonly string[];
  readonly needMiB: number;
  /** Cache of one request of full length; it must be within the cache space. */
  readonly requestMiB: number;
}

/** Python, torch and compiled code: an allowance, not measured. */
const runtimeMiB = 2048;

/**
 * Whether vLLM can serve a model on the processor.
 * @param cacheSpaceMiB `VLLM_CPU_KVCACHE_SPACE`, which is taken at the start
 * @param machineFreeMiB free memory of the machine; `undefined`: not known
 */
export function estimateVllmCpu(
  model: ModelFacts,
  settings: VllmSettings,
  cacheSpaceMiB: number,
  machineFreeMiB: number | undefined,
): VllmCpuEstimate {
  const activation = activationBytes(model, settings, 0) / MiB;
  const needMiB = model.totalBytes / MiB + cacheSpaceMiB + activation + runtimeMiB;
  const requestMiB = requestBytes(model, settings) / MiB;
  const fits = needMiB <= (machineFreeMiB ?? Infinity) && requestMiB <= cacheSpaceMiB;
  const verdict = machineFreeMiB === undefined ? "unknown" : fits ? "fits" : "does-not-fit";
  return { verdict, doubts: model.doubts, needMiB, requestMiB };
}
