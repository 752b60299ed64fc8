import { expect, test } from "vitest";
import { estimateVllm, tokenBytes, vllmDefaults } from "#models/fit/vllm.ts";
import { safetensorsFacts } from "#models/safetensors/facts.ts";

// Keys of the models' own config.json (Hugging Face), the ones that count.
const shared = { hidden_size: 2048, num_hidden_layers: 8, num_attention_heads: 16, vocab_size: 32_000 };
const facts = (config: object, bytes = 10e9) => safetensorsFacts({ ...shared, ...config }, { bytes });
const keyWidths = (of: ReturnType<typeof facts>) => of.layers.map(({ cache }) => cache?.keyWidth ?? 0);
const windows = (of: ReturnType<typeof facts>) => of.layers.map(({ cache }) => cache?.window ?? 0);

test("grouped heads, with the head's length of the config or of the width", () => {
  expect(facts({ model_type: "llama", num_key_value_heads: 4 }).layers[0]?.cache).toMatchObject({
    keyWidth: 512,
    valueWidth: 512,
  });
  expect(keyWidths(facts({ model_type: "qwen3", num_key_value_heads: 4, head_dim: 256 }))[0]).toBe(1024);
  expect(keyWidths(facts({ model_type: "gpt_neox" }))[0]).toBe(2048);
});

test("MLA keeps a compressed key, which tensor parallel does not divide", () => {
  // DeepSeek-V3: 61 layers, 70,272 bytes a token in 16 bit.
  const deepseek = facts({
    model_type: "deepseek_v3",
    num_hidden_layers: 61,
    num_attention_heads: 128,
    kv_lora_rank: 512,
    qk_rope_head_dim: 64,
  });
  const token = (tensorParallel: number) =>
    deepseek.layers.reduce((sum, layer) => sum + tokenBytes(layer, { ...vllmDefaults, tensorParallel }), 0);
  expect(token(1)).toBe(70_272);
  expect(token(8)).toBe(70_272);
});

test("windows by layer types, by a period, or for all layers", () => {
  const types = Array.from({ length: 8 }, (_, layer) => (layer % 2 ? "full_attention" : "sliding_attention"));
  const oss = { model_type: "gpt_oss", layer_types: types, sliding_window: 128 };
  expect(windows(facts(oss))).toEqual([128, 0, 128, 0, 128, 0, 128, 0]);
  const gemma = { model_type: "gemma3_text", sliding_window_pattern: 6, sliding_window: 1024 };
  expect(windows(facts(gemma))).toEqual([1024, 1024, 1024, 1024, 1024, 0, 1024, 1024]);
  expect(windows(facts({ model_type: "mistral", sliding_window: 4096 }))[7]).toBe(4096);
  expect(windows(facts({ model_type: "qwen2", sliding_window: 4096, use_sliding_window: false }))[7]).toBe(0);
});

test("of a hybrid only full layers keep tokens, the others a state; it is marked as an estimate", () => {
  const qwen = facts({
    model_type: "qwen3_5_moe",
    text_config: {
      model_type: "qwen3_5_moe_text",
      full_attention_interval: 4,
      num_key_value_heads: 2,
      head_dim: 256,
      linear_num_value_heads: 32,
      linear_value_head_dim: 128,
      linear_num_key_heads: 16,
      linear_key_head_dim: 128,
      linear_conv_kernel_dim: 4,
      ...shared,
    },
  });
  expect(keyWidths(qwen)).toEqual([0, 0, 0, 512, 0, 0, 0, 512]);
  expect(qwen.layers[0]?.stateBytes).toBe((3 * 8192 + 128 * 4096) * 4);
  expect(qwen.doubts).toEqual([expect.stringContaining("hybrid")]);
  const nemotron = facts({
    model_type: "nemotron_h",
    hybrid_override_pattern: "MEM*EMEM",
    num_key_value_heads: 2,
  });
  expect(keyWidths(nemotron)).toEqual([0, 0, 0, 256, 0, 0, 0, 0]);
});

test("what is quantized says its bits; what is not known says so", () => {
  expect(facts({ model_type: "llama", quantization_config: { quant_method: "awq", bits: 4 } }).bits).toBe(4);
  expect(facts({ model_type: "llama", quantization_config: { quant_method: "fp8" } }).bits).toBe(8);
  expect(facts({ model_type: "llama" }).bits).toBeUndefined();
  expect(facts({ model_type: "brand_new" }).doubts).toEqual(["how vLLM keeps brand_new is not known here"]);
  expect(() => safetensorsFacts({ model_type: "llama" }, { bytes: 1 })).toThrow(/has no hidden_size/);
});

test("vLLM needs no less for a longer request, and a GPU holds its part of weights and heads", () => {
  const model = facts({ model_type: "llama", num_key_value_heads: 8 }, 16e9);
  const card = { name: "GPU", freeMiB: 24_000, totalMiB: 24_000, computeCapability: "8.9" };
  const need = (maxModelLen: number) =>
    estimateVllm(model, { ...vllmDefaults, maxModelLen }, [card]).requestMiB;
  for (const length of [2048, 8192, 65_536]) expect(need(length * 2)).toBeGreaterThan(need(length));
  const two = estimateVllm(model, { ...vllmDefaults, tensorParallel: 2 }, [card, card]);
  const one = estimateVllm(model, vllmDefaults, [card]);
  expect(two.devices[0]?.weightsMiB).toBeCloseTo((one.devices[0]?.weightsMiB ?? 0) / 2);
  expect(two.requestMiB).toBeCloseTo(one.requestMiB / 2);
  const many = { ...vllmDefaults, tensorParallel: 16 };
  const wide = estimateVllm(model, many, Array(16).fill(card));
  // There are 8 heads: on 16 GPUs each is kept twice.
  expect(wide.requestMiB).toBeCloseTo(one.requestMiB / 8);
});
