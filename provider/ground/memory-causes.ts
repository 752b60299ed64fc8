import type { Cause } from "./ground.ts";

const again = "Then run `up` again";
const lessWeight =
  "take a smaller quantization of the model, or spread it over more GPUs (tensorParallel, pipelineParallel)";

/** What an engine says of a GPU's memory, and what is to be made of it. Words of vLLM 0.32's source. */
const causes: readonly (readonly [RegExp, (...parts: string[]) => Cause])[] = [
  [
    /Free memory on device(?: \S+)? \(([\d.]+)\/([\d.]+) GiB\) on startup is less than desired GPU memory utilization \(([\d.]+), ([\d.]+) GiB\)/,
    (free, total, share, wanted) => ({
      found: [
        `of the GPU's ${total} GiB ${free} GiB are free, and memoryShare ${share} asks for ${wanted} GiB`,
      ],
      hint: `end what else uses the GPU (nvidia-smi names it)${shareThatFits(Number(free), Number(total))}. ${again}`,
    }),
  ],
  [
    /max seq len \((\d+)\), \(?([\d.]+) GiB KV cache is needed, which is larger than the available KV cache memory \(([\d.]+) GiB\)\.(?: Based on the available memory, the estimated maximum model length is (\d+))?/,
    (context, needed, left, fits) => ({
      found: [
        `a request of ${context} tokens needs ${needed} GiB of KV cache, and ${left} GiB are left for it`,
      ],
      hint:
        (fits ? `set maxModelLen to ${fits} or less, or make room for more: ` : "make room for it: ") +
        `kvCacheDtype: fp8, a larger memoryShare, or\n${lessWeight}. ${again}`,
    }),
  ],
  [
    /No available memory for the cache blocks|Cannot auto-fit max_model_len: not enough GPU memory/,
    () => ({
      found: ["the weights leave no memory for any context"],
      hint: `set a larger memoryShare where it is below 0.92; else ${lessWeight}. ${again}`,
    }),
  ],
  [
    /out of memory occurred when warming up (?:sampler|pooler) with (\d+) dummy requests/,
    (requests) => ({
      found: [
        `the model is loaded, and there is no memory left to answer ${requests} requests at the same time`,
      ],
      hint: `set fewer (extraArgs: [--max-num-seqs, "64"]) or a smaller memoryShare. ${again}`,
    }),
  ],
  [
    /Failed to load model - not enough GPU memory|torch\.(?:cuda\.)?OutOfMemoryError/,
    () => ({ found: ["the weights do not fit the GPU's memory"], hint: `${lessWeight}. ${again}` }),
  ],
];

/** Memory that the driver and a desktop may take meanwhile. */
const reserveGiB = 0.5;

function shareThatFits(free: number, total: number): string {
  const share = Math.floor(((free - reserveGiB) / total) * 100) / 100;
  return share > 0 ? `, or set memoryShare to ${share} or less` : "";
}

/** What an engine's words on its memory mean; `undefined`: it says nothing of the kind. */
export function memoryCause(text: string): Cause | undefined {
  for (const [words, cause] of causes) {
    const found = words.exec(text);
    if (found) return cause(...found.slice(1));
  }
  return undefined;
}
