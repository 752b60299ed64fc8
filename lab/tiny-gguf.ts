/**
 * A language model that talks nonsense but is real: llama architecture, a tokenizer that covers every byte,
 * in the format llama.cpp loads. About 1 MB and made in milliseconds, always the same bytes. Its layers are
 * enough to be split between hosts. Format: GGUF version 3 (docs/gguf.md of ggml).
 */
export function tinyGguf(): Buffer {
  const tokens = vocabulary();
  const tensors = weights(tokens.length);
  const align = (length: number) => Math.ceil(length / alignment) * alignment;

  let offset = 0;
  const infos = tensors.map(({ name, shape, data }) => {
    const info = [string(name), u32(shape.length), ...shape.map(u64), u32(tensorF32), u64(offset)];
    offset += align(data.byteLength);
    return Buffer.concat(info);
  });
  const pairs = metadata(tokens).map(([key, value]) => Buffer.concat([string(key), value]));
  const header = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(pairs.length), ...pairs, ...infos];
  const blocks = [Buffer.concat(header), ...tensors.map(({ data }) => data)];
  return Buffer.concat(
    blocks.flatMap((block) => [block, Buffer.alloc(align(block.byteLength) - block.byteLength)]),
  );
}

/** Layers of the model; llama-server counts one more for the output. */
export const tinyLayers = 6;

const size = { embedding: 64, feedForward: 128, heads: 4, headsOfKeys: 2, context: 2048 };
const alignment = 32;
const tensorF32 = 0;
// Token types of the format; the loader wants the whole byte range so that every text can be split.
const kind = { normal: 1, unknown: 2, control: 3, byte: 6 };

interface Token {
  readonly text: string;
  readonly kind: number;
}

function vocabulary(): Token[] {
  const special = [
    { text: "<unk>", kind: kind.unknown },
    { text: "<s>", kind: kind.control },
    { text: "</s>", kind: kind.control },
  ];
  const bytes = Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    kind: kind.byte,
  }));
  // U+2581 is the tokenizer's space.
  const letters = [..."\u2581abcdefghijklmnopqrstuvwxyz"].map((text) => ({ text, kind: kind.normal }));
  return [...special, ...bytes, ...letters];
}

function metadata(tokens: readonly Token[]): (readonly [string, Buffer])[] {
  const counts: Record<string, number> = {
    context_length: size.context,
    embedding_length: size.embedding,
    block_count: tinyLayers,
    feed_forward_length: size.feedForward,
    "attention.head_count": size.heads,
    "attention.head_count_kv": size.headsOfKeys,
    "rope.dimension_count": size.embedding / size.heads,
    vocab_size: tokens.length,
  };
  return [
    ["general.architecture", text("llama")],
    ["general.name", text("tiny nonsense")],
    ["general.alignment", count(alignment)],
    ...Object.entries(counts).map(([key, value]) => [`llama.${key}`, count(value)] as const),
    ["llama.attention.layer_norm_rms_epsilon", Buffer.concat([u32(6), f32(1e-5)])],
    ["tokenizer.ggml.model", text("llama")],
    [
      "tokenizer.ggml.tokens",
      array(
        8,
        tokens.map((token) => string(token.text)),
      ),
    ],
    [
      "tokenizer.ggml.scores",
      array(
        6,
        tokens.map((_, id) => f32(-id)),
      ),
    ],
    [
      "tokenizer.ggml.token_type",
      array(
        5,
        tokens.map((token) => u32(token.kind)),
      ),
    ],
    ["tokenizer.ggml.unknown_token_id", count(0)],
    ["tokenizer.ggml.bos_token_id", count(1)],
    ["tokenizer.ggml.eos_token_id", count(2)],
  ];
}

interface Tensor {
  readonly name: string;
  /** Row length first, as ggml counts. */
  readonly shape: readonly number[];
  readonly data: Buffer;
}

function weights(tokens: number): Tensor[] {
  const { embedding, feedForward, heads, headsOfKeys } = size;
  const keys = (embedding / heads) * headsOfKeys;
  const random = generator();
  const matrix = (name: string, columns: number, rows: number, spread = 1 / Math.sqrt(columns)): Tensor => {
    const values = Float32Array.from({ length: columns * rows }, () => random() * spread);
    return { name: `${name}.weight`, shape: [columns, rows], data: bytesOf(values) };
  };
  const ones = (name: string): Tensor => ({
    name: `${name}.weight`,
    shape: [embedding],
    data: bytesOf(new Float32Array(embedding).fill(1)),
  });
  const layer = (block: string) => [
    ones(`${block}.attn_norm`),
    matrix(`${block}.attn_q`, embedding, embedding),
    matrix(`${block}.attn_k`, embedding, keys),
    matrix(`${block}.attn_v`, embedding, keys),
    matrix(`${block}.attn_output`, embedding, embedding),
    ones(`${block}.ffn_norm`),
    matrix(`${block}.ffn_gate`, embedding, feedForward),
    matrix(`${block}.ffn_up`, embedding, feedForward),
    matrix(`${block}.ffn_down`, feedForward, embedding),
  ];
  const output = matrix("output", embedding, tokens, 1);
  // Only space and letters may win: an answer never ends early and is readable text.
  output.data.fill(0, 0, (tokens - 27) * embedding * Float32Array.BYTES_PER_ELEMENT);
  const layers = Array.from({ length: tinyLayers }, (_, i) => layer(`blk.${i}`)).flat();
  return [matrix("token_embd", embedding, tokens, 1), ...layers, ones("output_norm"), output];
}

/** Values between -1.7 and 1.7 with a spread of 1, the same in every run (mulberry32). */
function generator(): () => number {
  let state = 20_261_121;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32 - 0.5) * Math.sqrt(12);
  };
}

const bytesOf = (values: Float32Array) => Buffer.from(values.buffer);
const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const f32 = (value: number) => Buffer.from(Float32Array.of(value).buffer);
const string = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
// A metadata value starts with its type: 4 unsigned, 6 float, 8 string, 9 array.
const count = (value: number) => Buffer.concat([u32(4), u32(value)]);
const text = (value: string) => Buffer.concat([u32(8), string(value)]);
const array = (type: number, items: readonly Buffer[]) =>
  Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);
