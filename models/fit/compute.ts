import { type LayerFacts, MiB, type ModelFacts } from "#models/facts.ts";
import { cellsOf, cellsOfStream } from "#models/fit/cache.ts";
import { isQuantized } from "#models/fit/cache-types.ts";
import type { LlamaCppSettings } from "#models/fit/settings.ts";

/** The part of a model that one device computes. */
export interface Part {
  readonly layers: readonly LayerFacts[];
  readonly hasOutput: boolean;
  /** Largest tensor that lies in the machine's memory and is copied here when a batch needs it, bytes. */
  readonly copiedTensorBytes: number;
}

/** Copies of a graph's inputs when batches overtake each other on several devices (GGML_SCHED_MAX_COPIES). */
const pipelineCopies = 4;
const float = 4;
const half = 2;

/**
 * llama.cpp's compute buffer on a device, bytes: what the widest moment of the graph needs at once. Inputs
 * (the attention mask, and with pipelining the embeddings) live as long as the graph; of the rest the largest
 * layer counts. Which tensors are alive together was read from the graphs in src/models/ and
 * src/llama-graph.cpp; docs/what-fits.md has the sum.
 */
export function computeBytes(
  model: ModelFacts,
  part: Part,
  settings: LlamaCppSettings,
  pipelined: boolean,
): number {
  const copies = pipelined ? pipelineCopies : 1;
  const embeddings = pipelined ? copies * settings.ubatch * model.width * float : 0;
  const layers = part.layers.filter(({ work }) => !work.idle);
  const peak = Math.max(
    0,
    ...layers.map((layer) => layerPeak(model, layer, settings)),
    part.hasOutput ? outputPeak(model, settings) : 0,
  );
  // Gate and up are copied together.
  const sum = copies * maskBytes(model, settings) + embeddings + peak + 2 * part.copiedTensorBytes;
  // Logs show 1 MiB more than the sum (positions, indices); graphs that were not measured get some room.
  return sum === 0 ? 0 : sum * 1.02 + 8 * MiB;
}

/**
 * One mask for full layers and one for those with a window; each says for a stream which token sees which.
 */
function maskBytes(model: ModelFacts, settings: LlamaCppSettings): number {
  const windows = new Set(model.layers.flatMap(({ cache }) => (cache ? [cache.window] : [])));
  const cells = [...windows].reduce<number>((sum, window) => sum + cellsOfStream(window, settings), 0);
  return cells * settings.ubatch * (settings.flashAttention ? half : float);
}

function layerPeak(model: ModelFacts, layer: LayerFacts, settings: LlamaCppSettings): number {
  const batch = settings.ubatch * float;
  const state = layer.stateBytes > 0 ? statePeak(model, layer, settings) : 0;
  return Math.max(state, attentionPeak(model, layer, settings), batch * feedForwardWidth(model, layer));
}

function attentionPeak(model: ModelFacts, layer: LayerFacts, settings: LlamaCppSettings): number {
  const { cache, work } = layer;
  if (cache === undefined) return 0;
  const batch = settings.ubatch * float;
  const compressed = cache.valueWidth === 0;
  const hybrid = model.layers.some(({ stateBytes }) => stateBytes > 0);
  // Residual and its norm, queries and what attention returns; MLA has the absorbed queries besides.
  const streams = 2 * model.width + (compressed ? 3 : 2) * work.query + (hybrid ? 4 * model.width : 0);
  if (!settings.flashAttention) {
    const scores = cellsOfStream(cache.window, settings) * settings.ubatch * work.queryHeads * float;
    return scores + batch * (streams + model.width + work.query);
  }
  // The kernels take 16-bit floats; a quantized cache of this layer is turned into them whole.
  const keys = isQuantized(settings.cacheTypeK) ? cache.keyWidth * (compressed ? 2 : 1) : 0;
  const values = isQuantized(settings.cacheTypeV) ? cache.valueWidth : 0;
  return batch * streams + cellsOf(cache.window, settings) * (keys + values) * half;
}

/** Projection, convolution and its input live together, and the state of all slots is gathered. */
const statePeak = (model: ModelFacts, layer: LayerFacts, settings: LlamaCppSettings) =>
  settings.ubatch * float * (3 * layer.work.query + 3 * model.width) + layer.stateBytes * settings.parallel;

/**
 * Numbers a token has at once: gate, up and their product, or the outputs of all its experts; and the
 * residual.
 */
function feedForwardWidth({ width }: ModelFacts, { work }: LayerFacts): number {
  return Math.max(3 * work.feedForward, work.feedForward + work.experts * width) + 3 * width;
}

function outputPeak(model: ModelFacts, settings: LlamaCppSettings): number {
  const rows = settings.reservedOutputs === "batch" ? settings.ubatch : settings.parallel;
  return (rows * model.vocabulary + settings.ubatch * 2 * model.width) * float;
}
