import { expect, test } from "vitest";
import { ggufFacts } from "#models/gguf/facts.ts";
import type { GgufValue } from "#models/gguf/header.ts";
import { type Description, headerOf } from "#models/report/described.ts";

const small: Description = {
  architecture: "llama",
  layers: 8,
  width: 256,
  vocabulary: 1000,
  heads: 4,
  keyHeads: 2,
  keyLength: 64,
  feedForward: 512,
};

/** Facts of a small model with further keys. */
const factsWith = (architecture: string, keys: Record<string, GgufValue>, more: Partial<Description> = {}) =>
  ggufFacts([headerOf({ ...small, architecture, keys, ...more }, "F16")]);

const windows = (facts: ReturnType<typeof factsWith>) => facts.layers.map(({ cache }) => cache?.window);

test("MLA is told by the header's keys and not by the architecture: a file made without them keeps whole heads", () => {
  const compressed = factsWith(
    "deepseek2",
    { "attention.key_length_mla": 192, "attention.value_length_mla": 128, "attention.key_length": 576 },
    { keyHeads: 1 },
  );
  expect(compressed.layers[0]?.cache).toMatchObject({ keyWidth: 576, valueWidth: 0 });
  const whole = factsWith("deepseek2", {}, { keyHeads: 16, keyLength: 192, valueLength: 128 });
  expect(whole.layers[0]?.cache).toMatchObject({ keyWidth: 16 * 192, valueWidth: 16 * 128 });
});

test("windows follow llama.cpp's rule for the architecture, or the header's own pattern", () => {
  const window = { "attention.sliding_window": 128 };
  const [w, f] = [128, undefined];
  expect(windows(factsWith("gpt-oss", window))).toEqual([w, f, w, f, w, f, w, f]);
  expect(windows(factsWith("gemma3", window))).toEqual([w, w, w, w, w, f, w, w]);
  const pattern = [true, true, false, true, true, true, false, true];
  expect(windows(factsWith("gemma4", { ...window, "attention.sliding_window_pattern": pattern }))).toEqual(
    pattern.map((slides) => (slides ? w : f)),
  );
  expect(windows(factsWith("cohere2moe", window))).toEqual([f, w, w, w, f, w, w, w]);
  expect(windows(factsWith("llama4", {}))).toEqual([8192, 8192, 8192, f, 8192, 8192, 8192, f]);
  expect(windows(factsWith("llama4", { "attention.sliding_window": 0 }))).toEqual(Array(8).fill(f));
  // Only EXAONE 4 of 64 layers has windows.
  expect(windows(factsWith("exaone4", window))).toEqual(Array(8).fill(f));
  // The header of these may name one, and llama.cpp keeps everything.
  expect(windows(factsWith("qwen2", window))).toEqual(Array(8).fill(f));
});

test("a window whose rule is not known counts as full attention, and the sum says that it is an estimate", () => {
  const facts = factsWith("somebody-new", { "attention.sliding_window": 128 });
  expect(windows(facts)).toEqual(Array(8).fill(undefined));
  expect(facts.doubts).toEqual([
    "how llama.cpp keeps somebody-new is not known here",
    "its sliding window is counted as full attention",
  ]);
});

test("layers that use the keys of earlier ones keep none; MTP layers are loaded and keep nothing", () => {
  const shared = factsWith("gemma4", { "attention.shared_kv_layers": 3 });
  expect(shared.layers.filter(({ cache }) => cache === undefined)).toHaveLength(3);
  const withMtp = factsWith("glm4moe", { nextn_predict_layers: 1 });
  expect(withMtp.layers.at(-1)).toMatchObject({ cache: undefined, work: { idle: true } });
  expect(withMtp.layers.at(-1)?.weightBytes).toBe(withMtp.layers[0]?.weightBytes);
});

test("heads may differ from layer to layer; a layer without any keeps nothing", () => {
  const facts = factsWith("llama", { "attention.head_count_kv": [2, 2, 0, 4, 2, 2, 2, 2] });
  expect(facts.layers.map(({ cache }) => cache?.keyWidth ?? 0)).toEqual([
    128, 128, 0, 256, 128, 128, 128, 128,
  ]);
});

test("without an output of its own a model loads its token table twice", () => {
  const own = factsWith("llama", {});
  const tied = factsWith("llama", {}, { tied: true });
  expect(tied.outputBytes).toBe(own.outputBytes);
  expect(tied.totalBytes).toBe(own.totalBytes - 1000 * 256 * 2);
});

test("a tensor type of a newer ggml is named", () => {
  const header = headerOf(small, "F16");
  const tensors = header.tensors.map((tensor) => ({ ...tensor, type: 77, bytes: undefined }));
  expect(ggufFacts([{ ...header, tensors }]).doubts).toEqual([
    "token_embd.weight has tensor type 77, which is not known here",
  ]);
});
