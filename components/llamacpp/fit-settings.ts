import { type CacheType, cacheTypes } from "#models/fit/cache-types.ts";
import { type LlamaCppSettings, llamaCppDefaults } from "#models/fit/settings.ts";

/** A service, as far as it says how llama-server is started. */
export interface Started {
  /** 0: what the model was trained for. */
  readonly context: number;
  readonly gpuLayers: number | "auto" | "all";
  readonly parallel?: number | undefined;
  readonly extraArgs: readonly string[];
}

/** A service's settings that memory depends on. */
export interface ServiceSettings {
  /** With a context of 0: what the model was trained for. */
  readonly settings: LlamaCppSettings;
  /** What of its arguments is not counted. */
  readonly doubts: readonly string[];
}

/** llama-server's own slots where none are named, which then share one cache (b7492 and newer). */
const automaticSlots = 4;

/** Arguments that move tensors or load further models, which no estimate here counts. */
const uncounted = [
  ...["--mmproj", "-mm", "--model-draft", "-md", "--override-tensor", "-ot", "--device", "-dev"],
  ...["--main-gpu", "-mg", "--lora", "--control-vector"],
];

/** What a service's keys and extra arguments say to llama-server. */
export function settingsOf(service: Started): ServiceSettings {
  const given = argumentsOf(service.extraArgs);
  const text = (...names: string[]) =>
    names.map((name) => given.get(name)).findLast((it) => it !== undefined);
  const number = (...names: string[]) => {
    const value = Number(text(...names) ?? Number.NaN);
    return Number.isInteger(value) && value >= 0 ? value : undefined;
  };
  const has = (...names: string[]) => names.some((name) => given.has(name));
  const cacheType = (...names: string[]): CacheType => {
    const named = text(...names) ?? "";
    return Object.hasOwn(cacheTypes, named) ? (named as CacheType) : llamaCppDefaults.cacheTypeK;
  };
  const parallel = number("--parallel", "-np") ?? service.parallel;
  const layers = text("--n-gpu-layers", "--gpu-layers", "-ngl") ?? service.gpuLayers;
  const split = text("--split-mode", "-sm");
  const shares = text("--tensor-split", "-ts")?.split(/[,/]/).map(Number);
  return {
    settings: {
      ...llamaCppDefaults,
      context: number("--ctx-size", "-c") ?? service.context,
      parallel: parallel ?? automaticSlots,
      unifiedCache: parallel === undefined || has("--kv-unified", "-kvu"),
      ubatch: number("--ubatch-size", "-ub") ?? llamaCppDefaults.ubatch,
      cacheTypeK: cacheType("--cache-type-k", "-ctk"),
      cacheTypeV: cacheType("--cache-type-v", "-ctv"),
      flashAttention: text("--flash-attn", "-fa") !== "off",
      fullWindowCache: has("--swa-full"),
      gpuLayers: layers === "auto" || layers === "all" || Number(layers) < 0 ? "all" : Number(layers),
      cpuExpertLayers: has("--cpu-moe", "-cmoe") ? Infinity : (number("--n-cpu-moe", "-ncmoe") ?? 0),
      splitMode: split === "none" || split === "tensor" ? split : "layer",
      tensorSplit: shares?.every((share) => share >= 0) ? shares : undefined,
    },
    doubts: uncounted.filter((name) => given.has(name)).map((name) => `${name} is not counted`),
  };
}

/** Arguments by name with what stands behind each; of one that is given twice the last counts. */
function argumentsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const [index, word] of words.entries()) {
    if (!/^--?[a-z]/.test(word)) continue;
    const [name = "", value] = word.split("=", 2);
    given.set(name, value ?? words[index + 1] ?? "");
  }
  return given;
}
