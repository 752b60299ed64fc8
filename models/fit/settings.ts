import type { CacheType } from "#models/fit/cache-types.ts";

/** How llama-server is started, as far as memory depends on it. Names of its options stand in brackets. */
export interface LlamaCppSettings {
  /** Tokens of context of all slots together (`-c`). */
  readonly context: number;
  /** Slots (`-np`); each has `context / parallel` tokens. */
  readonly parallel: number;
  /** Tokens that are worked on at once (`-ub`). */
  readonly ubatch: number;
  /** Type of the cached keys (`-ctk`). */
  readonly cacheTypeK: CacheType;
  /** Type of the cached values (`-ctv`). */
  readonly cacheTypeV: CacheType;
  /** `-fa`. */
  readonly flashAttention: boolean;
  /** One cache for all slots (`-kvu`) and not one for each. */
  readonly unifiedCache: boolean;
  /** Layers with a window keep all tokens (`--swa-full`). */
  readonly fullWindowCache: boolean;
  /** Layers on the GPUs, the output counting as one (`-ngl`). */
  readonly gpuLayers: number | "all";
  /** Layers whose experts stay in the machine's memory, from the first on (`--n-cpu-moe`). */
  readonly cpuExpertLayers: number;
  /**
   * `layer`: whole layers to each device; `tensor`: every tensor cut over all; `none`: the first device alone
   * (`-sm`).
   */
  readonly splitMode: "layer" | "tensor" | "none";
  /** Shares of the devices in `layer` mode (`-ts`), in their order; `undefined`: by free memory. */
  readonly tensorSplit?: readonly number[] | undefined;
  /**
   * Rows of the output that a build reserves memory for. `batch`: as many as `ubatch`, as all builds did
   * until 2025; `slots`: one a slot, as b10644 does (its logs; `n_outputs_max` in llama-context.cpp).
   */
  readonly reservedOutputs: "batch" | "slots";
}

/** llama-server's own defaults (b10644), all layers on the GPUs. */
export const llamaCppDefaults: LlamaCppSettings = {
  context: 4096,
  parallel: 1,
  ubatch: 512,
  cacheTypeK: "f16",
  cacheTypeV: "f16",
  flashAttention: true,
  unifiedCache: false,
  fullWindowCache: false,
  gpuLayers: "all",
  cpuExpertLayers: 0,
  splitMode: "layer",
  reservedOutputs: "slots",
};

/** A device that an engine may use: a GPU of the machine or, for llama.cpp, one of an RPC worker. */
export interface Device {
  /** As an operator knows it: `rack1 CUDA0`. */
  readonly name: string;
  /** Memory that is free for the engine, MiB; `undefined`: nothing tells (`[N/A]`, unified memory). */
  readonly freeMiB: number | undefined;
  /** All memory that programs can have, MiB ({@link usableMiB}); vLLM's share is of this. @default freeMiB */
  readonly totalMiB?: number | undefined;
  /** Such as `8.6`. */
  readonly computeCapability?: string | undefined;
}

/**
 * Memory of a GPU that programs can have, of the total that nvidia-smi names, MiB: the driver keeps some for
 * itself (`memory.reserved`, which is better where it is known). Logged: 381 of 12288, 430 of 24576, 484 of
 * 32607, 438 of 81559.
 */
export const usableMiB = (totalMiB: number): number => totalMiB - Math.min(490, totalMiB * 0.04);

/**
 * What a CUDA program takes on a device before it stores anything, MiB: context, kernels, cuBLAS's workspace.
 * Measured with llama.cpp b10644: 116 (GTX 1660 SUPER), 131-137 (RTX 3060); 256-358 on RTX 3090 and 4090 by
 * vLLM's `non_torch_memory`. It grows with the number of multiprocessors. Hopper and data-centre Blackwell:
 * not measured, an allowance.
 */
export function cudaContextMiB({ computeCapability, totalMiB, freeMiB }: Device): number {
  const [major = 0] = (computeCapability ?? "").split(".").map(Number);
  if (major === 9 || major === 10) return 640;
  return (totalMiB ?? freeMiB ?? 0) > 16_500 ? 380 : 160;
}
