import type { GgufHeader, GgufValue } from "#models/gguf/header.ts";

/**
 * The bytes of a header, as a file begins with them, with a tokenizer of as many tokens as the model has:
 * headers of real models are megabytes long for that. No weights follow.
 */
export function ggufBytes({ version, metadata, tensors }: GgufHeader, tokens = 0): Buffer {
  const pairs = [...metadata].map(([key, value]) => Buffer.concat([text(key), typed(value)]));
  if (tokens > 0) pairs.push(Buffer.concat([text("tokenizer.ggml.tokens"), tokenList(tokens)]));
  const infos = tensors.map(({ name, shape, type }) =>
    Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(0)]),
  );
  return Buffer.concat([
    Buffer.from("GGUF"),
    u32(version),
    u64(tensors.length),
    u64(pairs.length),
    ...pairs,
    ...infos,
  ]);
}

function typed(value: GgufValue): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(8), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(7), Buffer.of(Number(value))]);
  if (typeof value === "number") return Buffer.concat([u32(4), u32(value)]);
  if (!Array.isArray(value)) throw new Error("a skipped list has no items to write");
  const type = typeof value[0] === "boolean" ? 7 : 4;
  const items = value.map((item) =>
    typeof item === "boolean" ? Buffer.of(Number(item)) : u32(Number(item)),
  );
  return Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);
}

const tokenList = (count: number) =>
  Buffer.concat([
    u32(9),
    u32(8),
    u64(count),
    ...Array.from({ length: count }, (_, index) => text(`token number ${index}`)),
  ]);

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
