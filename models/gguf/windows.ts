import { knownArchitectures } from "#models/gguf/architectures.ts";

/**
 * Which layers of a model look back only a window of tokens, as llama.cpp decides it
 * (src/models/<architecture>.cpp, `load_swa_pattern`; read 2026-11-24 in the source that llama-cpp-python
 * 0.3.36 carries).
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

interface Rule {
  /**
   * One of so many layers is full, where the header has no pattern of its own; `undefined`: it always has.
   */
  readonly period?: number;
  /** The full one is the first of each period and not the last. */
  readonly fullFirst?: boolean;
  /** Where the header names no window. */
  readonly window?: number;
  /** Whatever the header names. */
  readonly always?: number;
  /** Only models with so many layers have windows. */
  readonly layers?: number;
}

const rules: Readonly<Record<string, Rule>> = {
  afmoe: { period: 4 },
  cohere2: { period: 4 },
  cohere2moe: { period: 4, fullFirst: true },
  dots3note: {},
  "exaone-moe": { period: 4, window: 128 },
  exaone4: { period: 4, window: 4096, layers: 64 },
  gemma2: { period: 2, window: 4096 },
  gemma3: { period: 6 },
  gemma3n: { period: 5 },
  gemma4: {},
  "gpt-oss": { period: 2 },
  granite_swa: {},
  laguna: { period: 4, fullFirst: true },
  lfm2: { period: 0 },
  llama4: { period: 4, always: 8192 },
  maple: {},
  mellum: { period: 4 },
  mimo2: {},
  "muse-glimmer": { period: 4 },
  olmo2: { period: 4 },
  plamo3: { period: 8 },
  smallthinker: { period: 4, fullFirst: true, always: 4096 },
  spark2_5: {},
  step35: {},
};

/** Its window for each layer; `unsure`: a window is named and llama.cpp's rule for it is not known here. */
export function windowsOf(keys: WindowKeys): { windows: readonly (number | undefined)[]; unsure: boolean } {
  const { architecture, layers, window: named, pattern } = keys;
  const full = Array.from({ length: layers }, () => undefined);
  const rule = rules[architecture];
  // Known ones without a rule may name a window and do not use it. Of the others: a cache for every token is
  // the most.
  if (rule === undefined)
    return { windows: full, unsure: Boolean(named) && !knownArchitectures.has(architecture) };
  const window = windowOf(rule, named, layers);
  const which = pattern ?? rule.period;
  if (!window) return { windows: full, unsure: false };
  if (which === undefined) return { windows: full, unsure: true };
  return {
    windows: full.map((_, layer) => (slides(layer, which, rule.fullFirst) ? window : undefined)),
    unsure: false,
  };
}

function windowOf(rule: Rule, named: number | undefined, layers: number): number | undefined {
  if (rule.layers !== undefined && rule.layers !== layers) return undefined;
  // A header that names 0 says that there is none.
  return named === 0 ? undefined : (rule.always ?? named ?? rule.window);
}

function slides(
  layer: number,
  which: number | readonly (number | boolean)[],
  fullFirst: boolean | undefined,
): boolean {
  if (typeof which !== "number") return Boolean(which[layer % Math.max(which.length, 1)]);
  if (which === 0) return true;
  return fullFirst ? layer % which !== 0 : layer % which < which - 1;
}
