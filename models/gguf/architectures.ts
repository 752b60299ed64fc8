/**
 * Architectures whose memory in llama.cpp is the sum of what `facts.ts` reads: keys and values by heads or by MLA, windows,
 * Mamba or delta-net state. What is not here is estimated by the same rules, and said to be an estimate.
 */
export const knownArchitectures: ReadonlySet<string> = new Set([
  "afmoe", "apertus", "arcee", "arctic", "baichuan", "bailingmoe", "bailingmoe2", "bloom", "chatglm", "codeshell",
  "cohere2", "command-r", "dbrx", "deepseek", "deepseek2", "dots1", "ernie4_5", "ernie4_5-moe", "exaone", "exaone4",
  "falcon", "falcon-h1", "gemma", "gemma2", "gemma3", "glm4", "glm4moe", "gpt-oss", "gpt2", "gptneox", "granite",
  "granitehybrid", "granitemoe", "grok", "hunyuan-dense", "hunyuan-moe", "internlm2", "jais", "jamba", "lfm2",
  "lfm2moe", "llama", "mamba", "mamba2", "minicpm", "minicpm3", "minimax-m2", "mistral3", "mpt", "nemotron",
  "nemotron_h", "nemotron_h_moe", "olmo", "olmo2", "olmoe", "orion", "phi2", "phi3", "phimoe", "plamo", "qwen",
  "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe",
  "refact", "seed_oss", "smollm3", "stablelm", "starcoder", "starcoder2", "xverse",
]);
