import type { ModelFacts } from "#models/facts.ts";
import { ggufFacts } from "#models/gguf/facts.ts";
import type { GgufHeader, GgufTensor, GgufValue } from "#models/gguf/header.ts";
import { tensorBytes, tensorTypeNumber } from "#models/gguf/tensor-types.ts";

/**
 * A model by the numbers of its config.json: enough to write the header that llama.cpp's converter would
 * write.
 */
export interface Description {
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly keyLength: number;
  /** @default keyLength */
  readonly valueLength?: number;
  /** Width of a dense feed-forward part; 0: all layers have experts. */
  readonly feedForward: number;
  /** Dense layers in front of those with experts. */
  readonly denseLayers?: number;
  readonly experts?: {
    readonly count: number;
    readonly used: number;
    readonly width: number;
    readonly shared?: number;
    /** Up and down alone, without a gate (Nemotron). */
    readonly ungated?: boolean;
  };
  /** Biases of queries, keys and values. */
  readonly biases?: boolean;
  /** The output is the token table. */
  readonly tied?: boolean;
  /** Mamba or delta-net state; `layer` says which kind a layer is. */
  readonly state?: {
    readonly inner: number;
    readonly size: number;
    readonly groups: number;
    readonly kernel: number;
    readonly projection: number;
    readonly layer: (index: number) => "state" | "attention" | "feed-forward";
    /** Whether a layer of one kind has a feed-forward part besides. */
    readonly feedForwardToo: boolean;
  };
  /** Keys of the header beyond these, without the architecture's name before them. */
  readonly keys?: Readonly<Record<string, GgufValue>>;
}

/** How llama-quantize chooses a tensor's type. */
export type Quantization = "Q4_K_M" | "Q5_K_M" | "F16";

/** The header of a described model in a quantization, as if read from a file. */
export function headerOf(model: Description, quantization: Quantization): GgufHeader {
  const plain = { Q4_K_M: "Q4_K", Q5_K_M: "Q5_K", F16: "F16" }[quantization];
  const tensors: GgufTensor[] = [];
  const add = (name: string, shape: readonly number[], type = shape.length < 2 ? "F32" : plain) => {
    const number = tensorTypeNumber(type);
    tensors.push({ name, shape, type: number, bytes: tensorBytes(number, shape) });
  };
  const better = (layer: number) =>
    quantization !== "F16" && usesMoreBits(layer, model.layers) ? "Q6_K" : plain;
  add("token_embd.weight", [model.width, model.vocabulary]);
  add("output_norm.weight", [model.width]);
  if (!model.tied)
    add("output.weight", [model.width, model.vocabulary], quantization === "F16" ? "F16" : "Q6_K");
  for (let layer = 0; layer < model.layers; layer++) {
    const block = (name: string, shape: readonly number[], type?: string) =>
      add(`blk.${layer}.${name}`, shape, type);
    const kind = model.state?.layer(layer) ?? "attention";
    block("attn_norm.weight", [model.width]);
    if (kind === "attention") attention(model, block, better(layer));
    if (kind === "state" && model.state) {
      block("ssm_in.weight", [model.width, model.state.projection]);
      block("ssm_out.weight", [model.state.inner, model.width]);
    }
    if (kind === "feed-forward" || model.state === undefined || model.state.feedForwardToo)
      feedForward(model, layer, block, better(layer));
  }
  return { version: 3, metadata: metadataOf(model), tensors };
}

/** A described model in a quantization. */
export const describedModel = (model: Description, quantization: Quantization): ModelFacts =>
  ggufFacts([headerOf(model, quantization)]);

type Add = (name: string, shape: readonly number[], type?: string) => void;

function attention(model: Description, add: Add, valueType: string): void {
  const { width, heads, keyHeads, keyLength, valueLength = keyLength } = model;
  const gate = /^qwen3(5|next)/.test(model.architecture) ? 2 : 1;
  add("attn_q.weight", [width, heads * keyLength * gate]);
  add("attn_k.weight", [width, keyHeads * keyLength]);
  add("attn_v.weight", [width, keyHeads * valueLength], valueType);
  add("attn_output.weight", [heads * valueLength, width]);
  if (!model.biases) return;
  add("attn_q.bias", [heads * keyLength]);
  add("attn_k.bias", [keyHeads * keyLength]);
  add("attn_v.bias", [keyHeads * valueLength]);
}

function feedForward(model: Description, layer: number, add: Add, downType: string): void {
  const { width, experts } = model;
  add("ffn_norm.weight", [width]);
  if (experts === undefined || layer < (model.denseLayers ?? 0)) {
    add("ffn_gate.weight", [width, model.feedForward]);
    add("ffn_up.weight", [width, model.feedForward]);
    add("ffn_down.weight", [model.feedForward, width], downType);
    return;
  }
  add("ffn_gate_inp.weight", [width, experts.count], "F32");
  if (!experts.ungated) add("ffn_gate_exps.weight", [width, experts.width, experts.count]);
  add("ffn_up_exps.weight", [width, experts.width, experts.count]);
  add("ffn_down_exps.weight", [experts.width, width, experts.count], downType);
  if (experts.shared === undefined) return;
  if (!experts.ungated) add("ffn_gate_shexp.weight", [width, experts.shared]);
  add("ffn_up_shexp.weight", [width, experts.shared]);
  add("ffn_down_shexp.weight", [experts.shared, width], downType);
}

function metadataOf(model: Description): Map<string, GgufValue> {
  const { architecture, state, experts } = model;
  const keys: Record<string, GgufValue> = {
    block_count: model.layers,
    embedding_length: model.width,
    "attention.head_count": model.heads,
    "attention.head_count_kv": model.keyHeads,
    "attention.key_length": model.keyLength,
    "attention.value_length": model.valueLength ?? model.keyLength,
    ...(experts ? { expert_count: experts.count, expert_used_count: experts.used } : {}),
    ...(state
      ? {
          "ssm.conv_kernel": state.kernel,
          "ssm.inner_size": state.inner,
          "ssm.state_size": state.size,
          "ssm.group_count": state.groups,
        }
      : {}),
    ...model.keys,
  };
  return new Map<string, GgufValue>([
    ["general.architecture", architecture],
    ...Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value] as const),
  ]);
}

/** llama-quant.cpp's `use_more_bits`: the first and last eighth of the layers, and every third between. */
const usesMoreBits = (layer: number, layers: number) => {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
};
