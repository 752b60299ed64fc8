import { expect, test } from "vitest";
import { memoryCause } from "./memory-causes.ts";

// As users of vLLM have quoted their logs in public, and where nobody has, as its source of 0.32.0 writes them.
test.each([
  [
    "ValueError: Free memory on device cuda:0 (12.18/23.56 GiB) on startup is less than desired GPU memory utilization (0.92, 21.67 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
    "of the GPU's 23.56 GiB 12.18 GiB are free, and memoryShare 0.92 asks for 21.67 GiB",
    /set memoryShare to 0\.49 or less/,
  ],
  [
    "ValueError: Free memory on device (0.30/23.56 GiB) on startup is less than desired GPU memory utilization (0.9, 21.20 GiB).",
    "of the GPU's 23.56 GiB 0.30 GiB are free, and memoryShare 0.9 asks for 21.20 GiB",
    /^end what else uses the GPU \(nvidia-smi names it\)\. Then/,
  ],
  [
    "ValueError: To serve at least one request with the model's max seq len (40960), (4.38 GiB KV cache is needed, which is larger than the available KV cache memory (1.31 GiB). Based on the available memory, the estimated maximum model length is 12288. Try increasing `gpu_memory_utilization`",
    "a request of 40960 tokens needs 4.38 GiB of KV cache, and 1.31 GiB are left for it",
    /^set maxModelLen to 12288 or less/,
  ],
  [
    "max seq len (33024), 3.22 GiB KV cache is needed, which is larger than the available KV cache memory (0.01 GiB). Try",
    "a request of 33024 tokens needs 3.22 GiB of KV cache, and 0.01 GiB are left for it",
    /^make room for it/,
  ],
  [
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine",
    "the weights leave no memory for any context",
    /smaller quantization/,
  ],
  [
    "RuntimeError: CUDA out of memory occurred when warming up sampler with 256 dummy requests. Please try lowering `max_num_seqs`",
    "the model is loaded, and there is no memory left to answer 256 requests at the same time",
    /--max-num-seqs/,
  ],
  [
    "ERROR Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization (original error: CUDA out of memory.)",
    "the weights do not fit the GPU's memory",
    /smaller quantization/,
  ],
  [
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.96 GiB",
    "the weights do not fit the GPU's memory",
    /tensorParallel/,
  ],
])("%s", (said, found, hint) => {
  expect(memoryCause(said)?.found).toEqual([found]);
  expect(memoryCause(said)?.hint).toMatch(hint);
});

test("other words are none of its business", () => {
  expect(
    memoryCause("RuntimeError: Engine core initialization failed. See root cause above."),
  ).toBeUndefined();
});
