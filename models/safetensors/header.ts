/** Bytes of the tensors in a safetensors file, by type (`BF16`, `F8_E4M3`, `I32` …). */
export interface SafetensorsHeader {
  readonly bytes: number;
  /** Numbers stored; packed types (`I32` of AWQ) count the packed ones. */
  readonly values: number;
  readonly byType: Readonly<Record<string, number>>;
}

// The format's own limit (safetensors' MAX_HEADER_SIZE).
const largestHeader = 100_000_000;

/**
 * Reads the header of a safetensors file: 8 bytes with its length, then JSON.
 * @returns `undefined`: it goes on behind `bytes`
 */
export function parseSafetensorsHeader(bytes: Uint8Array): SafetensorsHeader | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > largestHeader) throw new Error(`this is no safetensors file: a header of ${length} bytes`);
  if (bytes.length < 8 + length) return undefined;
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const byType: Record<string, number> = {};
  let values = 0;
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: number[];
    };
    const [from = 0, to = 0] = data_offsets;
    byType[dtype] = (byType[dtype] ?? 0) + (to - from);
    values += shape.reduce((product, side) => product * side, 1);
  }
  return { bytes: Object.values(byType).reduce((sum, size) => sum + size, 0), values, byType };
}

/** `model.safetensors.index.json`: bytes of all tensors, and the files that hold them. */
export function parseSafetensorsIndex(text: string): { bytes: number; files: readonly string[] } {
  const index = JSON.parse(text) as {
    metadata?: { total_size?: number };
    weight_map?: Record<string, string>;
  };
  const bytes = index.metadata?.total_size;
  if (typeof bytes !== "number") throw new Error("the index has no metadata.total_size");
  return { bytes, files: [...new Set(Object.values(index.weight_map ?? {}))].sort() };
}
