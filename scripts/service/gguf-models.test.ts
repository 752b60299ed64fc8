import { expect, test } from "vitest";
import { ggufModels, modelIn } from "./gguf-models.ts";

const file = (path: string, bytes = 1) => ({ path, bytes, sha256: undefined });
const names = (...paths: string[]) =>
  ggufModels(paths.map((path) => file(path))).map((it) => it.quantization);

test.each([
  ["Qwen2.5-7B-Instruct-Q4_K_M.gguf", "Q4_K_M"],
  ["qwen2.5-7b-instruct-q5_k_m.gguf", "Q5_K_M"],
  ["model.IQ3_XXS.gguf", "IQ3_XXS"],
  ["Qwen3-30B-A3B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"],
  ["gpt-oss-20b-MXFP4.gguf", "MXFP4"],
  ["gemma-3-4b-it-BF16.gguf", "BF16"],
  ["llama-2-7b.f16.gguf", "F16"],
  ["tiny.gguf", "tiny"],
])("%s is %s", (path, quantization) => {
  expect(names(path)).toEqual([quantization]);
});

test("largest first; parts are one model in their order, and projectors and matrices are none", () => {
  const models = ggufModels([
    file("Q8_0/m-Q8_0-00002-of-00002.gguf", 30),
    file("m-Q4_K_M.gguf", 25),
    file("Q8_0/m-Q8_0-00001-of-00002.gguf", 20),
    file("mmproj-m-F16.gguf", 90),
    file("m.imatrix.gguf", 90),
    file("README.md", 90),
  ]);
  expect(models.map(({ quantization, bytes }) => [quantization, bytes])).toEqual([
    ["Q8_0", 50],
    ["Q4_K_M", 25],
  ]);
  expect(models[0]?.files.map(({ path }) => path)).toEqual([
    "Q8_0/m-Q8_0-00001-of-00002.gguf",
    "Q8_0/m-Q8_0-00002-of-00002.gguf",
  ]);
});

test("a model with a part missing is none", () => {
  expect(names("m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf")).toEqual([]);
});

test("a quantization is found in any case; a wrong one is told with the nearest and all there are", () => {
  const models = ggufModels([file("m-Q4_K_M.gguf", 2), file("m-Q8_0.gguf", 3)]);
  expect(modelIn(models, "q8_0").bytes).toBe(3);
  expect(() => modelIn(models, "Q4_K_N")).toThrow(
    "there is no quantization Q4_K_N; did you mean Q4_K_M?; there are Q8_0, Q4_K_M",
  );
  expect(() => modelIn(models, "fast")).toThrow("there is no quantization fast; known here: Q8_0, Q4_K_M");
});
