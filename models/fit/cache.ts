import type { LayerFacts } from "#models/facts.ts";
import { cacheTypes } from "#models/fit/cache-types.ts";
import type { LlamaCppSettings } from "#models/fit/settings.ts";

const padded = (length: number, to: number) => Math.ceil(length / to) * to;

/** Streams of the cache: one for all slots, or one for each. */
const streamsOf = ({ unifiedCache, parallel }: LlamaCppSettings) => (unifiedCache ? 1 : parallel);

/**
 * Tokens that one stream of a layer's cache holds (llama-kv-cache-iswa.cpp): all of the context, or a window
 * for each sequence in it and the batch at work. llama.cpp rounds up to 256.
 */
export function cellsOfStream(window: number | undefined, settings: LlamaCppSettings): number {
  const all = padded(settings.context / streamsOf(settings), 256);
  if (window === undefined || settings.fullWindowCache) return all;
  const sequences = settings.unifiedCache ? settings.parallel : 1;
  return padded(Math.min(all, window * sequences + settings.ubatch), 256);
}

/** Tokens that a layer's cache holds in all streams. */
export const cellsOf = (window: number | undefined, settings: LlamaCppSettings): number =>
  cellsOfStream(window, settings) * streamsOf(settings);

/** Keys and values of a layer, bytes: what llama.cpp logs as `KV buffer size`. */
export function cacheBytes({ cache }: LayerFacts, settings: LlamaCppSettings): number {
  if (cache === undefined) return 0;
  const token =
    cache.keyWidth * cacheTypes[settings.cacheTypeK] + cache.valueWidth * cacheTypes[settings.cacheTypeV];
  return cellsOf(cache.window, settings) * token;
}

/** Recurrent state of a layer, bytes: what llama.cpp logs as `RS buffer size`, with `--verbose`. */
export const stateBytes = (layer: LayerFacts, { parallel }: LlamaCppSettings): number =>
  layer.stateBytes * parallel;
