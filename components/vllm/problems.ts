import type { EngineProblem, StackFacts } from "#components/serving/engine.ts";
import type { MachineRecord } from "#components/serving/machine.ts";
import { lockFault } from "./lock.ts";
import type { VllmService } from "./schema.ts";
import { type Variant, variantOf, variantProblem } from "./variant.ts";

/** What the files of a model lack. */
function modelProblems({ model: { files } }: VllmService): EngineProblem[] {
  const names = Object.keys(files);
  if (names.some((name) => name.endsWith(".gguf")))
    return [{ path: ["model", "files"], text: "are GGUF, which llama.cpp serves: write `engine: llamacpp`" }];
  const missing = [
    ...(names.includes("config.json") ? [] : ["config.json"]),
    ...(names.some((name) => /\.(safetensors|bin|pt)$/.test(name)) ? [] : ["its weights (*.safetensors)"]),
  ];
  return missing.length === 0
    ? []
    : [
        {
          path: ["model", "files"],
          text: `must hold all files of the model; ${missing.join(" and ")} is missing`,
        },
      ];
}

/** Whether the machine has the GPUs that the service spreads over. */
function gpuProblems(service: VllmService, variant: Variant, { gpus }: MachineRecord): EngineProblem[] {
  const { tensorParallel, pipelineParallel, host } = service;
  // A machine without any is told as that.
  if (variant === "cpu" || gpus === undefined || gpus.length === 0) return [];
  const wanted = tensorParallel * pipelineParallel;
  if (wanted <= gpus.length) return [];
  const path = [tensorParallel > 1 ? "tensorParallel" : "pipelineParallel"];
  return [
    {
      path,
      text: `needs ${wanted} GPUs (tensorParallel × pipelineParallel), and ${host} has ${gpus.length}`,
    },
  ];
}

/** What only vLLM can judge of a service on its machine. */
export function problems(service: VllmService, { stack, machines }: StackFacts): EngineProblem[] {
  const { host } = service;
  const record: MachineRecord = machines[host] ?? {};
  const chosen = variantOf(service, record);
  if ("unclear" in chosen) {
    const cure = `run: npm run host refresh ${stack} ${host}; or name the variant`;
    const text = `auto cannot choose for ${host}: ${chosen.unclear}; ${cure}`;
    return [{ path: ["variant"], text }, ...modelProblems(service)];
  }
  const { variant } = chosen;
  const why = variantProblem(variant, record);
  const lock = lockFault(service, variant, record.architecture);
  const cpuOnly = service.cpuCacheGiB !== undefined && variant !== "cpu";
  return [
    ...(why ? [{ path: ["variant"], text: `does not run on ${host}: ${why}` }] : []),
    ...(lock ? [lock] : []),
    ...(cpuOnly ? [{ path: ["cpuCacheGiB"], text: `is for \`variant: cpu\`, and this is ${variant}` }] : []),
    ...gpuProblems(service, variant, record),
    ...modelProblems(service),
  ];
}
