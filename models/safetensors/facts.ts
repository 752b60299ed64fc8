import type { LayerCache, LayerFacts, ModelFacts } from "#models/facts.ts";
import { Config } from "#models/safetensors/config.ts";

/** Weights of a repository, out of its index or its headers. */
export interface Weights {
  /** Of all tensors. */
  readonly bytes: number;
  readonly parameters?: number | undefined;
}

/** Architectures (`model_type`) that vLLM keeps as their config says: grouped heads, MLA, windows. */
const plain: ReadonlySet<string> = new Set([
  "aquila",
  "arcee",
  "bailing_moe",
  "chatglm",
  "cohere",
  "cohere2",
  "dbrx",
  "deepseek_v2",
  "deepseek_v3",
  "dots1",
  "ernie4_5",
  "ernie4_5_moe",
  "exaone",
  "exaone4",
  "gemma",
  "gemma2",
  "gemma3",
  "gemma3_text",
  "glm",
  "glm4",
  "glm4_moe",
  "gpt_neox",
  "gpt_oss",
  "granite",
  "granitemoe",
  "hunyuan_v1_dense",
  "internlm2",
  "internlm3",
  "kimi_k2",
  "llama",
  "minicpm",
  "minicpm3",
  "minimax_m2",
  "mistral",
  "mistral3",
  "mixtral",
  "nemotron",
  "olmo",
  "olmo2",
  "olmoe",
  "opt",
  "phi",
  "phi3",
  "phimoe",
  "qwen2",
  "qwen2_5_vl",
  "qwen2_moe",
  "qwen2_vl",
  "qwen3",
  "qwen3_moe",
  "qwen3_vl",
  "qwen3_vl_moe",
  "seed_oss",
  "smollm3",
  "stablelm",
  "starcoder2",
]);

/**
 * What an engine that loads safetensors needs memory for.
 * @param json the parsed config.json
 * @throws when it lacks what every model has (layers, width, heads)
 */
export function safetensorsFacts(json: unknown, weights: Weights): ModelFacts {
  const config = new Config(json);
  const width = config.whole("hidden_size", "n_embd", "d_model");
  const vocabulary = config.whole("vocab_size");
  const count = config.whole("num_hidden_layers", "n_layer", "num_layers");
  const heads = config.whole("num_attention_heads", "n_head");
  const kinds = kindsOf(config, count);
  const bits = bitsOf(config);
  // Quantized repositories keep table and output in 16 bit.
  const table = vocabulary * width * 2;
  const tables = config.raw("tie_word_embeddings") === true ? table : 2 * table;
  const each = Math.max(0, weights.bytes - tables) / count;
  const layers = kinds.map((kind) => layerFacts(config, kind, each, heads, width));
  return {
    format: "safetensors",
    architecture: config.architecture,
    doubts: doubtsOf(config, kinds),
    trainedContext: config.optional("max_position_embeddings", "n_positions", "seq_length"),
    width,
    vocabulary,
    heads,
    layers,
    inputBytes: table,
    outputBytes: tables === table ? 0 : table,
    totalBytes: weights.bytes,
    ...(weights.parameters === undefined ? {} : { parameters: weights.parameters }),
    ...(bits === undefined ? {} : { bits }),
  };
}

type Kind = "full" | "window" | "state" | "none";

const kindNames: Readonly<Record<string, Kind>> = {
  full_attention: "full",
  attention: "full",
  sliding_attention: "window",
  chunked_attention: "full",
  linear_attention: "state",
  mamba: "state",
  mamba2: "state",
  moe: "none",
  mlp: "none",
};

/**
 * What each layer keeps: config.json lists it, gives a pattern, or says only that every n-th layer is full.
 */
function kindsOf(config: Config, count: number): readonly Kind[] {
  const each = (kind: (layer: number) => Kind) => Array.from({ length: count }, (_, layer) => kind(layer));
  const listed = config.texts("layer_types") ?? config.texts("layers_block_type");
  if (listed) return each((layer) => kindNames[listed[layer] ?? ""] ?? "full");
  const pattern = config.raw("hybrid_override_pattern");
  if (typeof pattern === "string")
    return each((layer) => (pattern[layer] === "M" ? "state" : pattern[layer] === "*" ? "full" : "none"));
  const interval = config.optional("full_attention_interval");
  if (interval) return each((layer) => ((layer + 1) % interval === 0 ? "full" : "state"));
  const period = config.optional("sliding_window_pattern");
  if (period && config.optional("sliding_window"))
    return each((layer) => ((layer + 1) % period === 0 ? "full" : "window"));
  return each(() => (allSlide(config) ? "window" : "full"));
}

/** Mistral's first releases: a window and nothing that limits it to some layers. */
const allSlide = (config: Config) =>
  config.architecture === "mistral" && config.optional("sliding_window") !== undefined;

function layerFacts(
  config: Config,
  kind: Kind,
  weightBytes: number,
  heads: number,
  width: number,
): LayerFacts {
  const experts = config.optional("num_experts_per_tok", "num_experts_per_token") ?? 0;
  const expertWidth = config.optional("moe_intermediate_size") ?? config.optional("intermediate_size") ?? 0;
  const feedForward =
    experts > 0 ? experts * expertWidth : (config.optional("intermediate_size") ?? 4 * width);
  return {
    weightBytes,
    expertBytes: 0,
    largestExpertBytes: 0,
    cache: kind === "full" || kind === "window" ? cacheOf(config, kind, heads, width) : undefined,
    stateBytes: kind === "state" ? stateBytes(config) : 0,
    work: { query: heads * headLength(config, heads, width), queryHeads: heads, feedForward, experts },
  };
}

const headLength = (config: Config, heads: number, width: number) =>
  config.optional("head_dim") ?? width / heads;

function cacheOf(config: Config, kind: "full" | "window", heads: number, width: number): LayerCache {
  const window = kind === "window" ? config.optional("sliding_window") : undefined;
  const compressed = config.optional("kv_lora_rank");
  if (compressed !== undefined)
    return { keyWidth: compressed + config.whole("qk_rope_head_dim"), valueWidth: 0, heads: 1, window };
  const own = config.optional("num_key_value_heads", "num_kv_heads", "multi_query_group_num") ?? heads;
  // Gemma 4: full layers have other heads than those with a window.
  const keyHeads = kind === "full" ? (config.optional("num_global_key_value_heads") ?? own) : own;
  const plainLength = headLength(config, heads, width);
  const length = kind === "full" ? (config.optional("global_head_dim") ?? plainLength) : plainLength;
  const values = config.raw("attention_k_eq_v") === true && kind === "full" ? 0 : keyHeads * length;
  return { keyWidth: keyHeads * length, valueWidth: values, heads: keyHeads, window };
}

/**
 * State of a layer for one sequence: delta net in the model's 16 bit with a convolution, Mamba 2 likewise.
 */
function stateBytes(config: Config): number {
  const kernel = config.optional("linear_conv_kernel_dim", "conv_kernel", "mamba_d_conv") ?? 4;
  const valueHeads = config.optional("linear_num_value_heads", "mamba_num_heads", "mamba_n_heads") ?? 0;
  const valueLength = config.optional("linear_value_head_dim", "mamba_head_dim", "mamba_d_head") ?? 0;
  const groups = config.optional("linear_num_key_heads", "n_groups", "mamba_n_groups") ?? 0;
  const size = config.optional("linear_key_head_dim", "ssm_state_size", "mamba_d_state") ?? 0;
  const inner = valueHeads * valueLength;
  return ((kernel - 1) * (inner + 2 * groups * size) + size * inner) * 4;
}

/** Bits of the numbers in the linear layers; `undefined`: they are not quantized. */
function bitsOf(config: Config): number | undefined {
  const said = config.inside("quantization_config", "bits");
  if (typeof said === "number") return said;
  const method = config.inside("quantization_config", "quant_method");
  return method === "fp8" ? 8 : method === "mxfp4" ? 4 : undefined;
}

function doubtsOf(config: Config, kinds: readonly Kind[]): string[] {
  const { architecture } = config;
  const known = plain.has(architecture);
  const hybrid = kinds.includes("state");
  const scratch = config.inside("quantization_config", "quant_method") === "mxfp4";
  return [
    ...(known || hybrid ? [] : [`how vLLM keeps ${architecture} is not known here`]),
    ...(hybrid ? ["it is a hybrid: vLLM's cache holds 5 to 20 % fewer tokens than the sum says"] : []),
    ...(scratch ? ["MXFP4: what vLLM repacks its weights into differs by card"] : []),
  ];
}
