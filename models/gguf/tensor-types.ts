/**
 * How ggml stores a tensor type: `values` numbers in one block of `bytes`. Source: `ggml.c`, `type_traits`.
 */
interface Block {
  readonly name: string;
  readonly values: number;
  readonly bytes: number;
}

// By ggml's number of the type (enum ggml_type in ggml.h). Numbers that are missing were removed from ggml.
const blocks: Readonly<Record<number, Block>> = {
  0: { name: "F32", values: 1, bytes: 4 },
  1: { name: "F16", values: 1, bytes: 2 },
  2: { name: "Q4_0", values: 32, bytes: 18 },
  3: { name: "Q4_1", values: 32, bytes: 20 },
  6: { name: "Q5_0", values: 32, bytes: 22 },
  7: { name: "Q5_1", values: 32, bytes: 24 },
  8: { name: "Q8_0", values: 32, bytes: 34 },
  10: { name: "Q2_K", values: 256, bytes: 84 },
  11: { name: "Q3_K", values: 256, bytes: 110 },
  12: { name: "Q4_K", values: 256, bytes: 144 },
  13: { name: "Q5_K", values: 256, bytes: 176 },
  14: { name: "Q6_K", values: 256, bytes: 210 },
  15: { name: "Q8_K", values: 256, bytes: 292 },
  16: { name: "IQ2_XXS", values: 256, bytes: 66 },
  17: { name: "IQ2_XS", values: 256, bytes: 74 },
  18: { name: "IQ3_XXS", values: 256, bytes: 98 },
  19: { name: "IQ1_S", values: 256, bytes: 50 },
  20: { name: "IQ4_NL", values: 32, bytes: 18 },
  21: { name: "IQ3_S", values: 256, bytes: 110 },
  22: { name: "IQ2_S", values: 256, bytes: 82 },
  23: { name: "IQ4_XS", values: 256, bytes: 136 },
  24: { name: "I8", values: 1, bytes: 1 },
  25: { name: "I16", values: 1, bytes: 2 },
  26: { name: "I32", values: 1, bytes: 4 },
  27: { name: "I64", values: 1, bytes: 8 },
  28: { name: "F64", values: 1, bytes: 8 },
  29: { name: "IQ1_M", values: 256, bytes: 56 },
  30: { name: "BF16", values: 1, bytes: 2 },
  34: { name: "TQ1_0", values: 256, bytes: 54 },
  35: { name: "TQ2_0", values: 256, bytes: 66 },
  39: { name: "MXFP4", values: 32, bytes: 17 },
  40: { name: "NVFP4", values: 64, bytes: 36 },
  41: { name: "Q1_0", values: 128, bytes: 18 },
};

/**
 * Bytes a tensor takes in memory.
 * @returns `undefined` for a type that this table does not know: a newer ggml made the file
 */
export function tensorBytes(type: number, shape: readonly number[]): number | undefined {
  const block = blocks[type];
  if (block === undefined) return undefined;
  const values = shape.reduce((product, length) => product * length, 1);
  return (values / block.values) * block.bytes;
}

/** ggml's number of a type by its name; throws for a name it does not have. */
export function tensorTypeNumber(name: string): number {
  const found = Object.entries(blocks).find(([, block]) => block.name === name);
  if (found === undefined) throw new Error(`ggml has no tensor type ${name}`);
  return Number(found[0]);
}
