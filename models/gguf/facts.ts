import type { LayerCache, LayerFacts, LayerWork, ModelFacts } from "#models/facts.ts";
import { knownArchitectures } from "#models/gguf/architectures.ts";
import type { GgufHeader, GgufTensor, GgufValue } from "#models/gguf/header.ts";
import { windowsOf } from "#models/gguf/windows.ts";

/**
 * What llama.cpp needs memory for, out of the headers of a model's files.
 * @param headers one file, or all parts of a split one in their order
 * @throws when the first is no language model (a projector, an adapter, a vocabulary)
 */
export function ggufFacts(headers: readonly GgufHeader[]): ModelFacts {
  const first = headers[0];
  if (first === undefined) throw new Error("no header was given");
  const keys = new Keys(first.metadata);
  const tensors = headers.flatMap(({ tensors }) => tensors);
  const blocks = groupByLayer(tensors, keys.whole("block_count"));
  const input = tensors.filter(({ name }) => isInput(name));
  const rest = tensors.filter(({ name }) => layerOf(name) === undefined && !isInput(name));
  const table = tensors.find(({ name }) => name === "token_embd.weight");
  // Without an output of its own the token table is loaded once more, on the device of the output.
  const tied = rest.some(({ name }) => name === "output.weight") ? 0 : bytesOf(table ? [table] : []);
  const windows = windowsOf({
    architecture: keys.architecture,
    layers: blocks.length,
    window: keys.optional("attention.sliding_window"),
    pattern: patternOf(keys),
  });
  const layers = blocks.map((block, index) =>
    layerFacts(keys, block, index, blocks.length, windows.windows[index]),
  );
  return {
    format: "gguf",
    architecture: keys.architecture,
    doubts: doubtsOf(keys, tensors, windows.unsure),
    trainedContext: keys.optional("context_length"),
    width: keys.whole("embedding_length"),
    vocabulary: table?.shape[1] ?? keys.optional("vocab_size") ?? 0,
    heads: Math.max(1, ...layers.map(({ work }) => work.queryHeads)),
    layers,
    inputBytes: bytesOf(input),
    outputBytes: bytesOf(rest) + tied,
    totalBytes: bytesOf(tensors),
    parameters: tensors.reduce(
      (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
      0,
    ),
  };
}

function layerFacts(
  keys: Keys,
  block: readonly GgufTensor[],
  index: number,
  count: number,
  window: number | undefined,
): LayerFacts {
  const idle = index >= count - (keys.optional("nextn_predict_layers") ?? 0);
  const experts = block.filter(({ name }) => /_exps\./.test(name));
  const hasState = block.some(({ name }) => /\.(ssm_|shortconv|time_mix_)/.test(name));
  return {
    weightBytes: bytesOf(block),
    expertBytes: bytesOf(experts),
    largestExpertBytes: Math.max(0, ...experts.map((tensor) => tensor.bytes ?? 0)),
    cache: idle ? undefined : cacheOf(keys, block, index, count, window),
    stateBytes: hasState && !idle ? stateWidth(keys, index) * 4 : 0,
    work: workOf(keys, block, index, idle),
  };
}

function cacheOf(
  keys: Keys,
  block: readonly GgufTensor[],
  index: number,
  count: number,
  window: number | undefined,
): LayerCache | undefined {
  const has = (pattern: RegExp) => block.some(({ name }) => pattern.test(name));
  const attends = has(/\.attn_(k|kv_a_mqa)\./) || (has(/\.attn_qkv\./) && !has(/\.ssm_/));
  const heads =
    keys.perLayer("attention.head_count_kv", index) ?? keys.perLayer("attention.head_count", index) ?? 0;
  const shared = index >= count - sharedLayers(keys, count);
  if (!attends || heads === 0 || shared) return undefined;
  const length = (which: "key" | "value") => {
    const own = window === undefined ? undefined : keys.optional(`attention.${which}_length_swa`);
    return own ?? keys.optional(`attention.${which}_length`) ?? headLength(keys, index);
  };
  // MLA keeps one compressed key a token and reads the values out of it; a file made without these keys has
  // plain heads.
  const compressed = keys.optional("attention.key_length_mla") !== undefined;
  return {
    keyWidth: length("key") * heads,
    valueWidth: compressed ? 0 : length("value") * heads,
    heads,
    window,
  };
}

/** Layers at the end that use the keys and values of earlier ones (Gemma 3n and 4). */
function sharedLayers(keys: Keys, count: number): number {
  if (keys.architecture === "gemma3n") return Math.max(0, count - 20);
  return keys.optional("attention.shared_kv_layers") ?? 0;
}

const headLength = (keys: Keys, index: number) =>
  keys.whole("embedding_length") / Math.max(1, keys.perLayer("attention.head_count", index) ?? 1);

/** Numbers of recurrent state a slot has in a layer (llama-hparams.cpp: `n_embd_r` and `n_embd_s`). */
function stateWidth(keys: Keys, index: number): number {
  const width = keys.whole("embedding_length");
  const convolution = Math.max(0, (keys.optional("ssm.conv_kernel") ?? 0) - 1);
  const short = keys.optional("shortconv.l_cache");
  if (short !== undefined) return width * (short - 1);
  const rwkv = keys.optional("wkv.head_size");
  if (rwkv !== undefined) return width * ((keys.optional("token_shift_count") ?? 2) + rwkv);
  const delta = keys.optional("kda.head_dim");
  if (delta !== undefined) {
    const heads = keys.perLayer("attention.head_count", index) ?? 1;
    return delta * heads * (3 * convolution + delta);
  }
  const inner = keys.optional("ssm.inner_size") ?? 0;
  const state = keys.optional("ssm.state_size") ?? 0;
  return convolution * (inner + 2 * (keys.optional("ssm.group_count") ?? 0) * state) + state * inner;
}

function workOf(keys: Keys, block: readonly GgufTensor[], index: number, idle: boolean): LayerWork {
  const find = (name: string) => block.find((tensor) => tensor.name.endsWith(`.${name}.weight`));
  const queryHeads = keys.perLayer("attention.head_count", index) ?? 0;
  const compressed = keys.optional("attention.key_length_mla") !== undefined;
  const keyLength = keys.optional("attention.key_length") ?? headLength(keys, index);
  // The absorbed query of MLA is as long as the compressed key.
  const plain = queryHeads * keyLength;
  const projection = find("attn_q") ?? find("ssm_in") ?? find("attn_qkv");
  const rows = compressed ? plain : Math.max(plain, projection?.shape[1] ?? 0);
  const experts = find("ffn_down_exps") ? (keys.perLayer("expert_used_count", index) ?? 0) : 0;
  const feedForward =
    (find("ffn_down_exps")?.shape[0] ?? 0) * experts +
    (find("ffn_down_shexp")?.shape[0] ?? 0) +
    (find("ffn_down")?.shape[0] ?? 0);
  return { query: rows, queryHeads, feedForward, experts, ...(idle ? { idle } : {}) };
}

function doubtsOf(keys: Keys, tensors: readonly GgufTensor[], windowUnsure: boolean): string[] {
  const { architecture } = keys;
  const newer = tensors.find(({ bytes }) => bytes === undefined);
  return [
    ...(knownArchitectures.has(architecture)
      ? []
      : [`how llama.cpp keeps ${architecture} is not known here`]),
    ...(windowUnsure ? [`its sliding window is counted as full attention`] : []),
    ...(newer ? [`${newer.name} has tensor type ${newer.type}, which is not known here`] : []),
  ];
}

function patternOf(keys: Keys): number | readonly (number | boolean)[] | undefined {
  const value = keys.raw("attention.sliding_window_pattern");
  return typeof value === "number" || Array.isArray(value) ? value : undefined;
}

const layerOf = (name: string) => {
  const found = /^blk\.(\d+)\./.exec(name)?.[1];
  return found === undefined ? undefined : Number(found);
};

// llama.cpp's input layer (llama-arch.cpp, LLM_TENSOR_LAYER_INPUT) never leaves the machine's memory.
const isInput = (name: string) => /^(token_embd|token_types|position_embd|per_layer_token_embd)/.test(name);

function groupByLayer(tensors: readonly GgufTensor[], count: number): GgufTensor[][] {
  const blocks = Array.from({ length: count }, (): GgufTensor[] => []);
  for (const tensor of tensors) blocks[layerOf(tensor.name) ?? -1]?.push(tensor);
  return blocks;
}

const bytesOf = (tensors: readonly GgufTensor[]) => tensors.reduce((sum, { bytes = 0 }) => sum + bytes, 0);

/** The keys of a model's own architecture. */
class Keys {
  readonly architecture: string;
  readonly #metadata: ReadonlyMap<string, GgufValue>;

  constructor(metadata: ReadonlyMap<string, GgufValue>) {
    const architecture = metadata.get("general.architecture");
    const type = metadata.get("general.type");
    if (typeof architecture !== "string") throw new Error("the header names no general.architecture");
    if (architecture === "clip" || (type !== undefined && type !== "model"))
      throw new Error(`this file is no language model but ${String(type ?? "an image projector (clip)")}`);
    this.architecture = architecture;
    this.#metadata = metadata;
  }

  raw(name: string): GgufValue | undefined {
    return this.#metadata.get(`${this.architecture}.${name}`);
  }

  optional(name: string): number | undefined {
    const value = this.raw(name);
    return typeof value === "number" ? value : undefined;
  }

  whole(name: string): number {
    const value = this.optional(name);
    if (value === undefined) throw new Error(`the header has no ${this.architecture}.${name}`);
    return value;
  }

  /** A key that has one value for all layers, or a list with one for each. */
  perLayer(name: string, layer: number): number | undefined {
    const value = this.raw(name);
    if (typeof value === "number") return value;
    const found = Array.isArray(value) ? value[layer] : undefined;
    return typeof found === "number" ? found : undefined;
  }
}
