import { MiB, type ModelFacts } from "#models/facts.ts";
import {
  estimateVllm,
  tokenBytes,
  type VllmEstimate,
  type VllmSettings,
  vllmDefaults,
} from "#models/fit/vllm.ts";
import { cardOf } from "#models/report/cards.ts";
import { describedModel } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import type { Point } from "#models/report/points.ts";

/** A vLLM point beside its estimate. */
export interface VllmRow {
  readonly point: Point;
  readonly hybrid: boolean;
  /** Neither hybrid nor MXFP4: its cache can be told from its config alone. */
  readonly plain: boolean;
  /** `undefined`: the point lacks the weights or the card. */
  readonly estimate: VllmEstimate | undefined;
  /** Cache left on a GPU, predicted over logged, less 1. */
  readonly cacheError: number | undefined;
  /** Tokens in the logged cache, by our bytes of a token, over logged, less 1. */
  readonly tokenError: number | undefined;
}

/**
 * @param weightsMiB of a GPU, where the point has none: those of another point of the model
 * @returns `undefined` when the point's model is not described here
 */
export function vllmRow(point: Point, weightsMiB = point.weightsMiB): VllmRow | undefined {
  const description = describe(point.model);
  if (description === undefined) return undefined;
  const settings = settingsOf(point);
  const model = modelOf(describedModel(description, "F16"), { ...point, weightsMiB }, settings);
  const card = cardOf(point.gpu, "GPU");
  const count = settings.tensorParallel * settings.pipelineParallel;
  const devices = Array.from({ length: count }, () => card).filter((device) => device !== undefined);
  const judged = weightsMiB !== undefined && devices.length === count;
  const estimate = judged ? estimateVllm(model, settings, devices) : undefined;
  const left = estimate?.devices[0]?.cacheMiB;
  const { cacheMiB, cacheTokens } = point;
  const hybrid = model.layers.some(({ stateBytes }) => stateBytes > 0);
  return {
    point,
    hybrid,
    plain: !hybrid && model.doubts.length === 0,
    estimate,
    cacheError:
      left === undefined || cacheMiB === undefined || cacheMiB <= 0 ? undefined : left / cacheMiB - 1,
    tokenError:
      cacheMiB === undefined || cacheTokens === undefined
        ? undefined
        : (cacheMiB * MiB) / bytesOfToken(model, settings) / cacheTokens - 1,
  };
}

const bytesOfToken = (model: ModelFacts, settings: VllmSettings) =>
  model.layers.reduce((sum, layer) => sum + tokenBytes(layer, settings), 0);

function modelOf(
  described: ModelFacts,
  { quantization, weightsMiB }: Point,
  settings: VllmSettings,
): ModelFacts {
  const doubts = /MXFP4/.test(quantization) ? ["MXFP4: repacked weights"] : [];
  const ranks = settings.tensorParallel * settings.pipelineParallel;
  return { ...described, doubts, totalBytes: (weightsMiB ?? 0) * ranks * MiB };
}

const cacheBytesOf = (quantization: string) =>
  /nvfp4 KV/.test(quantization) ? 4.5 / 8 : /(fp8|int8[\w -]*) KV/.test(quantization) ? 1 : 2;

function settingsOf({ context, setup, quantization, version }: Point): VllmSettings {
  const number = (pattern: RegExp) => {
    const found = pattern.exec(setup)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  // Until 2025 all of the prompt was one batch, the share was 0.90 and did not have to hold the graphs.
  const old = /^2024/.test(version);
  const before = old || /^2025|^0\.[0-9]\./.test(version);
  return {
    ...vllmDefaults,
    maxModelLen: context,
    memoryShare: number(/util (\d\.\d+)/) ?? (before ? 0.9 : 0.92),
    tensorParallel: number(/tp(\d)/) ?? 1,
    pipelineParallel: number(/pp(\d)/) ?? 1,
    cacheBytes: cacheBytesOf(quantization),
    batchedTokens: number(/max-num-batched-tokens (\d+)/) ?? (old ? context : undefined),
    sequences: number(/max-num-seqs (\d+)/) ?? 256,
    eager: /eager/.test(setup),
    graphsInShare: !before,
  };
}
