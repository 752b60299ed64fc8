import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { parseGgufHeader } from "#models/gguf/header.ts";
import { describedModel, headerOf } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import { ggufBytes } from "#models/testing/gguf-bytes.ts";
import { ggufFacts } from "./facts.ts";

// Written by the format's own library (gguf 0.19.0 of PyPI): a header of a hybrid model without the weights.
const byLibrary = readFileSync(new URL("./fixtures/written-by-gguf-py.gguf", import.meta.url));

test("a header that the format's own library wrote is read: values of every kind, tensors of many types", () => {
  const header = parseGgufHeader(byLibrary);
  expect(header?.metadata.get("general.architecture")).toBe("qwen35moe");
  expect(header?.metadata.get("qwen35moe.list_of_bools")).toEqual([true, false]);
  expect(header?.metadata.get("qwen35moe.a_float")).toBe(0.5);
  expect(header?.metadata.get("qwen35moe.an_int8")).toBe(-3);
  expect(header?.metadata.get("qwen35moe.a_uint64")).toBe(2 ** 40);
  expect(header?.metadata.get("tokenizer.ggml.tokens")).toEqual({ length: 3 });
  const sizes = new Map(header?.tensors.map(({ name, bytes }) => [name, bytes]));
  expect(sizes.get("token_embd.weight")).toBe(3 * 144);
  expect(sizes.get("output.weight")).toBe(3 * 210);
  expect(sizes.get("blk.0.attn_qkv.weight")).toBe((1024 * 256 * 34) / 32);
  expect(sizes.get("blk.0.ffn_down_exps.weight")).toBe((4 * 256 * 32 * 17) / 32);
});

test("of a hybrid the layers with attention keep a cache and the others a state", () => {
  const header = parseGgufHeader(byLibrary);
  const facts = ggufFacts(header ? [header] : []);
  expect(facts.layers.map(({ cache }) => cache?.keyWidth)).toEqual([undefined, undefined, undefined, 512]);
  const state = (3 * (512 + 2 * 2 * 128) + 128 * 512) * 4;
  expect(facts.layers.map(({ stateBytes }) => stateBytes)).toEqual([state, state, state, 0]);
  expect(facts.layers[3]?.work).toEqual({ query: 2048, queryHeads: 4, feedForward: 64, experts: 2 });
});

test("the weights of a whole file are the file less its header", () => {
  const file = tinyGguf();
  const header = parseGgufHeader(file);
  const facts = ggufFacts(header ? [header] : []);
  expect(facts).toMatchObject({
    architecture: "llama",
    width: 64,
    heads: 4,
    trainedContext: 2048,
    doubts: [],
  });
  expect(facts.layers).toHaveLength(6);
  expect(facts.layers[0]?.cache).toEqual({ keyWidth: 32, valueWidth: 32, heads: 2, window: undefined });
  expect(facts.totalBytes).toBeLessThan(file.length);
  expect(facts.totalBytes).toBeGreaterThan(file.length - 16_384);
});

test("facts do not depend on who writes the header", () => {
  const model = describe("Qwen2.5-Coder-14B");
  if (model === undefined) throw new Error("not described");
  const parsed = parseGgufHeader(ggufBytes(headerOf(model, "Q4_K_M"), 1000));
  expect(parsed && ggufFacts([parsed])).toEqual(describedModel(model, "Q4_K_M"));
});

test("a header that is not here whole asks for more, at whatever byte it is cut", () => {
  for (let length = 0; length < byLibrary.length; length += 7)
    expect(parseGgufHeader(byLibrary.subarray(0, length))).toBeUndefined();
});

test.each([
  ["another file", Buffer.from("<!doctype html>"), /no GGUF file: it begins with "<!do"/],
  ["an old version", Buffer.from([...Buffer.from("GGUF"), 1, 0, 0, 0]), /version 1 is not known/],
  [
    "a hostile count",
    Buffer.concat([Buffer.from("GGUF"), Buffer.from([3, 0, 0, 0]), Buffer.alloc(16, 0xff)]),
    /claims .* tensors/,
  ],
])("%s is refused", (_, bytes, message) => {
  expect(() => parseGgufHeader(bytes)).toThrow(message);
});

test("a projector is no language model", () => {
  const metadata = new Map([["general.architecture", "clip"]]);
  expect(() => ggufFacts([{ version: 3, metadata, tensors: [] }])).toThrow(/projector/);
});
