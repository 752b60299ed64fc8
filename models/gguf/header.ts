import { tensorBytes } from "#models/gguf/tensor-types.ts";

/**
 * A value of a header's metadata. Long lists and lists of texts (the tokenizer's) are kept as their length
 * alone.
 */
export type GgufValue = number | boolean | string | readonly number[] | readonly boolean[] | SkippedList;

/** A list whose items nobody here needs. */
interface SkippedList {
  readonly length: number;
}

export interface GgufTensor {
  readonly name: string;
  /** Row length first, as ggml counts. */
  readonly shape: readonly number[];
  /** ggml's number of the type. */
  readonly type: number;
  /** Size in memory; `undefined` for a type of a newer ggml. */
  readonly bytes: number | undefined;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

// A file says its own counts; these keep a broken or hostile one from filling the memory.
const limits = { pairs: 100_000, tensors: 1_000_000, text: 64 * 2 ** 20, listKept: 4096, depth: 2 };

/** More bytes than there are: the header goes on behind what was fetched. */
class MoreNeeded extends Error {}

/**
 * Reads a GGUF header (version 2 or 3, little endian; docs/gguf.md of ggml).
 * @param bytes the file's beginning, as much of it as is at hand
 * @returns `undefined`: the header goes on behind `bytes`
 * @throws when the bytes are no GGUF file, or one of a version or byte order that is not known
 */
export function parseGgufHeader(bytes: Uint8Array): GgufHeader | undefined {
  try {
    return read(new Cursor(bytes));
  } catch (error) {
    if (error instanceof MoreNeeded) return undefined;
    throw error;
  }
}

function read(cursor: Cursor): GgufHeader {
  const magic = String.fromCharCode(cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8());
  if (magic !== "GGUF") throw new Error(`this is no GGUF file: it begins with ${JSON.stringify(magic)}`);
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    throw new Error(`GGUF version ${version} is not known (2 and 3 are; a huge number: a big-endian file)`);
  }
  const tensorCount = cursor.count("tensors", limits.tensors);
  const pairCount = cursor.count("metadata pairs", limits.pairs);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.text();
    metadata.set(key, value(cursor, cursor.u32(), 0));
  }
  const tensors = Array.from({ length: tensorCount }, () => tensor(cursor));
  return { version, metadata, tensors };
}

function tensor(cursor: Cursor): GgufTensor {
  const name = cursor.text();
  const dimensions = cursor.u32();
  if (dimensions > 4) throw new Error(`tensor ${name} has ${dimensions} dimensions, and ggml has at most 4`);
  const shape = Array.from({ length: dimensions }, () => cursor.u64());
  const type = cursor.u32();
  cursor.u64(); // Where its data begins.
  return { name, shape, type, bytes: tensorBytes(type, shape) };
}

const typeOf = { bool: 7, text: 8, list: 9 };

function value(cursor: Cursor, type: number, depth: number): GgufValue {
  if (type === typeOf.text) return cursor.text();
  if (type === typeOf.list) return list(cursor, depth + 1);
  return scalar(cursor, type);
}

function list(cursor: Cursor, depth: number): GgufValue {
  if (depth > limits.depth) throw new Error("a metadata list is nested too deep");
  const type = cursor.u32();
  const length = cursor.u64();
  const kept: (number | boolean)[] = [];
  for (let i = 0; i < length; i++) {
    if (type === typeOf.text) cursor.skipText();
    else if (type === typeOf.list) list(cursor, depth + 1);
    else if (i < limits.listKept) kept.push(scalar(cursor, type));
    else scalar(cursor, type);
  }
  return kept.length === length ? (kept as readonly number[] | readonly boolean[]) : { length };
}

function scalar(cursor: Cursor, type: number): number | boolean {
  switch (type) {
    case 0:
      return cursor.u8();
    case 1:
      return cursor.take(1).getInt8(0);
    case 2:
      return cursor.take(2).getUint16(0, true);
    case 3:
      return cursor.take(2).getInt16(0, true);
    case 4:
      return cursor.u32();
    case 5:
      return cursor.take(4).getInt32(0, true);
    case 6:
      return cursor.take(4).getFloat32(0, true);
    case typeOf.bool:
      return cursor.u8() !== 0;
    case 10:
      return cursor.u64();
    case 11:
      return Number(cursor.take(8).getBigInt64(0, true));
    case 12:
      return cursor.take(8).getFloat64(0, true);
    default:
      throw new Error(`metadata type ${type} is not known`);
  }
}

/** A place in the header; every read moves it on. */
class Cursor {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next bytes as a view of their own. */
  take(length: number): DataView {
    if (this.#at + length > this.#view.byteLength) throw new MoreNeeded();
    const part = new DataView(this.#view.buffer, this.#view.byteOffset + this.#at, length);
    this.#at += length;
    return part;
  }

  u8(): number {
    return this.take(1).getUint8(0);
  }

  u32(): number {
    return this.take(4).getUint32(0, true);
  }

  u64(): number {
    return Number(this.take(8).getBigUint64(0, true));
  }

  count(what: string, most: number): number {
    const found = this.u64();
    if (found > most)
      throw new Error(`the header claims ${found} ${what}, more than any model has (${most})`);
    return found;
  }

  text(): string {
    return new TextDecoder().decode(this.take(this.#textLength()));
  }

  skipText(): void {
    this.take(this.#textLength());
  }

  #textLength(): number {
    const length = this.u64();
    if (length > limits.text) throw new Error(`the header claims a text of ${length} bytes`);
    return length;
  }
}
