/**
 * Types of llama.cpp's cache (`--cache-type-k`, `--cache-type-v`) and bytes a number takes in each. Source:
 * ggml.c.
 */
export const cacheTypes = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
} as const;

export type CacheType = keyof typeof cacheTypes;

/** Whether flash attention on CUDA first turns it into 16-bit floats, in the compute buffer. */
export const isQuantized = (type: CacheType): boolean => cacheTypes[type] < 2;
