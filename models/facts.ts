/** What is read of a model without its weights. Sizes are bytes; widths count numbers, not bytes. */
export interface ModelFacts {
  readonly format: "gguf" | "safetensors";
  /** `general.architecture` of a GGUF header (`qwen2`), `model_type` of a config.json. */
  readonly architecture: string;
  /** Why its memory is an estimate and no sum; empty: everything that counts is known. */
  readonly doubts: readonly string[];
  /** Length of the context that it was trained on, tokens; `undefined`: not said. */
  readonly trainedContext: number | undefined;
  /** Width of the stream between layers (`n_embd`, `hidden_size`). */
  readonly width: number;
  readonly vocabulary: number;
  /** Query heads of the widest layer; tensor parallel must divide them. */
  readonly heads: number;
  readonly layers: readonly LayerFacts[];
  /** Weights that llama.cpp leaves in the machine's memory: the table of input tokens. */
  readonly inputBytes: number;
  /**
   * Weights behind the last layer: norm and output, or the token table once more where there is no output of
   * its own.
   */
  readonly outputBytes: number;
  /** All weights, each once. */
  readonly totalBytes: number;
  /** Numbers in all weights; `undefined`: not said. */
  readonly parameters?: number | undefined;
  /** Bits of the weights' numbers where a config says so (4 for AWQ); `undefined`: see `totalBytes`. */
  readonly bits?: number | undefined;
}

/** One block of a model. */
export interface LayerFacts {
  readonly weightBytes: number;
  /** Of `weightBytes`: experts, which `--n-cpu-moe` leaves in the machine's memory. */
  readonly expertBytes: number;
  /** Its largest single tensor of experts: copied to the GPU when experts stay in the machine's memory. */
  readonly largestExpertBytes: number;
  /** Keys and values it keeps of each token; `undefined`: it keeps none. */
  readonly cache: LayerCache | undefined;
  /** Recurrent state it keeps for each slot, bytes (llama.cpp keeps it as 32-bit floats). */
  readonly stateBytes: number;
  /** Numbers a token has while the layer works. */
  readonly work: LayerWork;
}

export interface LayerCache {
  readonly keyWidth: number;
  /** 0 where values are read out of the keys (MLA). */
  readonly valueWidth: number;
  /** Heads that keys and values are divided into; tensor parallel divides by at most this many. */
  readonly heads: number;
  /** Tokens it looks back at; `undefined`: all of them. */
  readonly window: number | undefined;
}

export interface LayerWork {
  /**
   * Rows of the query projection, with a gate where there is one; of the input projection in a layer with
   * state.
   */
  readonly query: number;
  readonly queryHeads: number;
  /** Width of the feed-forward part; of all experts that one token uses together. */
  readonly feedForward: number;
  /** Experts that a token uses; 0: it is dense. */
  readonly experts: number;
  /** Not executed in plain decoding (an MTP layer): loaded, without cache or work. */
  readonly idle?: boolean;
}

/** Bytes of one MiB, the unit of every estimate. */
export const MiB = 2 ** 20;
