import type { ModelFacts } from "#models/facts.ts";

/**
 * Quantizations of GGUF, largest first, and bits a weight takes (llama.cpp, tools/quantize/README, Llama 3.1
 * 8B).
 */
export const quantizations = [
  { name: "F16", bits: 16 },
  { name: "Q8_0", bits: 8.5 },
  { name: "Q6_K", bits: 6.56 },
  { name: "Q5_K_M", bits: 5.7 },
  { name: "Q4_K_M", bits: 4.89 },
  { name: "IQ4_XS", bits: 4.46 },
  { name: "Q3_K_M", bits: 4.0 },
  { name: "IQ3_M", bits: 3.76 },
  { name: "Q2_K", bits: 3.16 },
  { name: "IQ2_M", bits: 2.93 },
] as const;

export type Quantization = (typeof quantizations)[number];

/** Bits that a weight takes on average; `undefined` where the number of weights is not known. */
export const bitsPerWeight = ({ totalBytes, parameters }: ModelFacts): number | undefined =>
  parameters ? (totalBytes * 8) / parameters : undefined;

/** A model as it would be with as many bits a weight: every size scaled alike. */
export function requantized(model: ModelFacts, bits: number): ModelFacts {
  const now = bitsPerWeight(model) ?? 16;
  const scale = bits / now;
  return {
    ...model,
    layers: model.layers.map((layer) => ({
      ...layer,
      weightBytes: layer.weightBytes * scale,
      expertBytes: layer.expertBytes * scale,
      largestExpertBytes: layer.largestExpertBytes * scale,
    })),
    inputBytes: model.inputBytes * scale,
    outputBytes: model.outputBytes * scale,
    totalBytes: model.totalBytes * scale,
  };
}

/**
 * The largest quantization below a model's own with which it fits; `undefined`: none, or its bits are not
 * known.
 */
export function smallerQuantization(
  model: ModelFacts,
  fits: (model: ModelFacts) => boolean,
): Quantization | undefined {
  const now = bitsPerWeight(model);
  if (now === undefined) return undefined;
  // Files of one name differ by a few percent from model to model.
  return quantizations.find(({ bits }) => bits < now * 0.97 && fits(requantized(model, bits)));
}

/**
 * The largest context that fits, in steps that llama.cpp rounds to.
 * @param step tokens; 256 for each slot
 * @returns `undefined`: not even one step fits
 */
export function largestContext(
  upTo: number,
  fits: (context: number) => boolean,
  step = 256,
): number | undefined {
  let low = 0;
  let high = Math.floor(upTo / step) + 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle * step)) low = middle;
    else high = middle;
  }
  return low === 0 ? undefined : low * step;
}
