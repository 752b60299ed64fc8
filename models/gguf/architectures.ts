/**
 * Architectures whose memory in llama.cpp is the sum of what `facts.ts` reads: keys and values by heads or by
 * MLA, windows, Mamba or delta-net state (llama-model.cpp, `create_memory`; read 2026-11-24 in the source
 * that llama-cpp-python 0.3.36 carries). Those with caches of their own (the indexers of DeepSeek V3.2 and
 * V4, GLM DSA, MiniMax M3) are not here: what is not known is summed by the same rules, and said to be an
 * estimate.
 */
export const knownArchitectures: ReadonlySet<string> = new Set(
  `afmoe apertus arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm codeshell cohere2 cohere2moe
  command-r dbrx deci deepseek deepseek2 dots1 ernie4_5 ernie4_5-moe exaone exaone-moe exaone4 falcon falcon-h1 gemma gemma2
  gemma3 gemma3n gemma4 glm4 glm4moe gpt-oss gpt2 gptj gptneox granite granite_swa granitehybrid granitemoe grok grovemoe
  hunyuan-dense hunyuan-moe hunyuan_vl internlm2 jais jais2 jamba kimi-linear laguna lfm2 lfm2moe llama llama4 maincoder
  mamba mamba2 mellum mimo2 minicpm minicpm3 minimax-m2 mistral3 mistral4 mpt muse-glimmer nanbeige nemotron nemotron_h
  nemotron_h_moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo3 qwen qwen2 qwen2moe
  qwen2vl qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3vl qwen3vlmoe refact rwkv6 rwkv6qwen2 rwkv7 seed_oss
  smallthinker smollm3 stablelm starcoder starcoder2 step35 xverse`.split(/\s+/),
);
