/**
 * Which layers of a model look back only a window of tokens, as llama.cpp decides it (src/models/<architecture>.cpp,
 * `set_swa_pattern`; read in snapshots of 2026-08).
 */

/** What the header says of windows. */
export interface WindowKeys {
  readonly architecture: string;
  readonly layers: number;
  /** `attention.sliding_window`, tokens. */
  readonly window: number | undefined;
  /** `attention.sliding_window_pattern`: every n-th layer is full, or a list with one entry a layer. */
  readonly pattern: number | readonly (number | boolean)[] | undefined;
}

// Every n-th layer is full and the others have a window, where the header has no pattern of its own.
const periods: Readonly<Record<string, number>> = {
  afmoe: 4,
  cohere2: 4,
  exaone4: 4,
  gemma2: 2,
  gemma3: 6,
  gemma3n: 5,
  "gemma-embedding": 6,
  "gpt-oss": 2,
  olmo2: 4,
  plamo3: 8,
};

// llama.cpp gives these windows of their own, by a list in the header.
const byList = new Set(["gemma4", "mimo2", "step35"]);

// Their headers name a window that llama.cpp does not use: all layers are full.
const ignored = new Set(["llama", "mistral3", "phi3", "phimoe", "qwen2", "qwen2moe", "qwen3", "qwen3moe"]);

/** Its window for each layer; `unsure`: a window is named and llama.cpp's rule for it is not known here. */
export function windowsOf(keys: WindowKeys): { windows: readonly (number | undefined)[]; unsure: boolean } {
  const { architecture, layers, window, pattern } = keys;
  const full = Array.from({ length: layers }, () => undefined);
  if (!window || ignored.has(architecture)) return { windows: full, unsure: false };
  const known = byList.has(architecture) || periods[architecture] !== undefined;
  const rule = pattern ?? periods[architecture];
  // A cache for every token is what the layers need at most.
  if (!known || rule === undefined) return { windows: full, unsure: true };
  const slides = (layer: number) =>
    typeof rule === "number"
      ? rule === 0 || layer % rule < rule - 1
      : Boolean(rule[layer % Math.max(rule.length, 1)]);
  return { windows: full.map((_, layer) => (slides(layer) ? window : undefined)), unsure: false };
}
