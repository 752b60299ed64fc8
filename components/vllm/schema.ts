import { z } from "zod";
import { modelSchema, serviceShape } from "#components/serving/service-schema.ts";
import { argumentProblem } from "./arguments.ts";

const word = z.string().regex(/^[\w.-]+$/, "must be one word");

/** `gpu-hosts:services.<name>` of a service that vLLM serves. */
export const schema = z.strictObject({
  engine: z.literal("vllm").describe("vLLM: models in safetensors files, on the GPUs of one machine."),
  host: z.string().min(1).describe("Machine that answers requests; the model lies there."),
  model: modelSchema(
    "All files that the model consists of, and their SHA-256: config.json, tokenizer, weights. Their folder is served.",
  ),
  ...serviceShape,
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(\.post\d+)?$/, "must be a version such as 0.32.0")
    .default("0.32.0")
    .describe("Version of vLLM."),
  python: z
    .string()
    .regex(/^3\.\d{1,2}$/, "must be a version such as 3.12")
    .default("3.12")
    .describe(
      "Python that runs it. Where the machine's own is another one, uv fetches it from `mirrors.pythonBuilds`.",
    ),
  variant: z
    .enum(["auto", "cu130", "cu129", "cpu"])
    .default("auto")
    .describe(
      "Which of its builds: for CUDA 13.0 or 12.9, or for the processor alone. `auto`: what driver and GPUs recorded in the inventory can run.",
    ),
  lock: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File with its packages in exact versions and their hashes, from the folder of the stack file. Default: the one that comes with gpu-hosts, for cu130.",
    ),
  quantization: word
    .optional()
    .describe("How the weights are quantized, such as awq_marlin. Default: what the model's files say."),
  dtype: z
    .enum(["auto", "half", "float16", "bfloat16", "float", "float32"])
    .optional()
    .describe("Type in which it computes. Default: the model's."),
  kvCacheDtype: word
    .optional()
    .describe("Type of the KV cache, such as fp8, which halves it. Default: that of the model."),
  maxModelLen: z
    .union([z.int().min(1), z.literal("auto")])
    .optional()
    .describe(
      "Longest context of a request, in tokens; `auto`: the longest that fits. Default: the model's.",
    ),
  memoryShare: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe(
      "Share of each GPU's whole memory that it takes, above 0 and at most 1; so much must be free when it starts. Default: 0.92.",
    ),
  tensorParallel: z
    .int()
    .min(1)
    .default(1)
    .describe("GPUs that share each layer; must divide the model's attention heads."),
  pipelineParallel: z.int().min(1).default(1).describe("Groups of GPUs with a part of the layers each."),
  cpuCacheGiB: z
    .int()
    .min(1)
    .optional()
    .describe("Memory for the KV cache, with `variant: cpu` alone. Default: vLLM decides."),
  extraArgs: z
    .array(z.string())
    .superRefine((args, context) => {
      for (const [index, arg] of args.entries()) {
        const message = argumentProblem(arg, args[index - 1]);
        if (message) context.addIssue({ code: "custom", path: [index], message });
      }
    })
    .default([])
    .describe(
      "Further arguments of `vllm serve`, one word each, such as --enable-prefix-caching. Never a secret: arguments are public on the machine.",
    ),
});

/** A parsed service. */
export type VllmService = z.output<typeof schema>;
