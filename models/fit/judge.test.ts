import { expect, test } from "vitest";
import { bitsPerWeight, largestContext, quantizations } from "#models/fit/advice.ts";
import { judgeLlamaCpp, judgeVllm } from "#models/fit/judge.ts";
import { type Device, llamaCppDefaults, usableMiB } from "#models/fit/settings.ts";
import { vllmDefaults } from "#models/fit/vllm.ts";
import { estimateVllmCpu } from "#models/fit/vllm-cpu.ts";
import { describedModel, type Quantization } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";

const rtx4090: Device = {
  name: "vengeance CUDA0",
  freeMiB: usableMiB(24_564),
  totalMiB: usableMiB(24_564),
  computeCapability: "8.9",
};
const model = (name: string, quantization: Quantization) => {
  const found = describe(name);
  if (found === undefined) throw new Error(`${name} is not described`);
  return describedModel(found, quantization);
};

// A plan for an RTX 4090 (24 GB) once said that 70B and 72B in 4 bit take 20 to 22 GB, and 8B 8 GB.
test.each(["Llama-3.1-70B", "Qwen2.5-72B"])("%s in 4 bit on 24 GB is refused, with numbers", (name) => {
  const facts = model(name, "Q4_K_M");
  const { decision, text, estimate } = judgeLlamaCpp(facts, { ...llamaCppDefaults, context: 8192 }, [
    rtx4090,
  ]);
  expect(decision).toBe("refuse");
  expect(facts.totalBytes / 1e9).toBeGreaterThan(41);
  expect(facts.totalBytes / 1e9).toBeLessThan(49);
  expect(estimate.devices[0]?.weightsMiB).toBeGreaterThan(39_000);
  expect(text).toMatch(/^does not fit: vengeance CUDA0 needs 4\d\.\d GiB and has 23\.5 GiB; no smaller/);
});

test("8B in 16 bit takes about 16 GB: it fits 24 GB with a short context and not with a long one", () => {
  const facts = model("Llama-3.1-8B", "F16");
  expect(facts.totalBytes / 1e9).toBeCloseTo(16, 0);
  const judged = (context: number) => judgeLlamaCpp(facts, { ...llamaCppDefaults, context }, [rtx4090]);
  expect(judged(8192).decision).toBe("pass");
  const refused = judged(131_072);
  expect(refused.decision).toBe("refuse");
  expect(refused.text).toMatch(/fits with a context of \d+ tokens, or with /);
});

test("the context that is advised fits and the next step does not; so does the quantization", () => {
  const facts = model("Qwen2.5-Coder-32B", "Q4_K_M");
  const judged = (context: number) => judgeLlamaCpp(facts, { ...llamaCppDefaults, context }, [rtx4090]);
  const { advice } = judged(65_536);
  expect(advice.context).toBeGreaterThan(8192);
  expect(judged(advice.context ?? 0).decision).not.toBe("refuse");
  expect(judged((advice.context ?? 0) + 256).decision).toBe("refuse");
  expect(judgeLlamaCpp(facts, { ...llamaCppDefaults, context: 24_576 }, [rtx4090]).advice.quantization).toBe(
    "IQ4_XS",
  );
});

test("shares other than by free memory are advised where they make a context fit", () => {
  const facts = model("Qwen3-Coder-30B-A3B", "Q4_K_M");
  const card = (name: string, freeMiB: number) => ({ name, freeMiB, totalMiB: 12_000 });
  const devices = [card("worker", 5780), card("CUDA0", 11_907), card("CUDA1", 11_907)];
  const settings = { ...llamaCppDefaults, context: 180_224, cacheTypeK: "q8_0", cacheTypeV: "q8_0" } as const;
  const { advice, text } = judgeLlamaCpp(facts, settings, devices);
  // As it was found by trying on that machine.
  expect(advice.tensorSplit).toEqual([9, 20, 20]);
  expect(text).toContain("fits with -ts 9,20,20, or with a context of");
});

test("bits of a weight are those that llama.cpp's own table names", () => {
  const bits = bitsPerWeight(model("Llama-3.1-8B", "Q4_K_M")) ?? 0;
  expect(bits).toBeCloseTo(quantizations.find(({ name }) => name === "Q4_K_M")?.bits ?? 0, 1);
  expect(largestContext(1000, () => false)).toBeUndefined();
  expect(largestContext(1000, () => true)).toBe(768);
});

test("an estimate that says no is a warning, unless the weights alone are too much", () => {
  const doubtful = {
    ...model("Qwen2.5-Coder-32B", "Q4_K_M"),
    doubts: ["how llama.cpp keeps it is not known here"],
  };
  const judged = (context: number, freeMiB: number) =>
    judgeLlamaCpp(doubtful, { ...llamaCppDefaults, context }, [{ ...rtx4090, freeMiB }]);
  expect(judged(65_536, 24_000)).toMatchObject({
    decision: "warn",
    text: expect.stringContaining("(estimate: how"),
  });
  expect(judged(4096, 12_000).decision).toBe("refuse");
});

test("what fits by a hair, or only without pipelining, is a warning", () => {
  const facts = model("Llama-3.1-8B", "Q4_K_M");
  const judged = (freeMiB: number) =>
    judgeLlamaCpp(facts, llamaCppDefaults, [{ ...rtx4090, totalMiB: 12_000, freeMiB }]);
  const need = judged(24_000).estimate.devices[0]?.totalMiB ?? 0;
  expect(judged(need + 10)).toMatchObject({ decision: "warn", text: expect.stringContaining("fits, tight") });
  expect(judged(need + 400).decision).toBe("pass");
  const silent = judgeLlamaCpp(facts, llamaCppDefaults, [{ name: "spark CUDA0", freeMiB: undefined }]);
  expect(silent).toMatchObject({
    decision: "warn",
    text: expect.stringContaining("spark CUDA0 tells no free memory"),
  });
});

test("vLLM: a length that fits, one that does not with what would, and one that leaves room for one request", () => {
  const facts = model("Llama-3.1-8B", "F16");
  const judged = (maxModelLen: number) => judgeVllm(facts, { ...vllmDefaults, maxModelLen }, [rtx4090]);
  expect(judged(8192).decision).toBe("pass");
  expect(judged(32_768)).toMatchObject({ decision: "warn", text: expect.stringContaining("tight: 1.") });
  const refused = judged(131_072);
  expect(refused.decision).toBe("refuse");
  expect(judged(refused.advice.context ?? 0).decision).toBe("warn");
  expect(judged((refused.advice.context ?? 0) + 256).decision).toBe("refuse");
});

test("vLLM: the share must be free at the start, heads must be divided, and ranks must have a GPU each", () => {
  const facts = model("Qwen2.5-Coder-7B", "F16");
  const desktop = { ...rtx4090, freeMiB: 20_000 };
  expect(judgeVllm(facts, vllmDefaults, [desktop])).toMatchObject({
    decision: "refuse",
    text: expect.stringContaining("20000 MiB are free; a memory share of 0.83 would do"),
  });
  const split = judgeVllm(facts, { ...vllmDefaults, tensorParallel: 8 }, [rtx4090, rtx4090]);
  expect(split.estimate.reasons).toEqual([
    "tensor parallel 8 does not divide the model's 28 attention heads",
    "tensor parallel 8 times pipeline parallel 1 needs 8 GPUs, not 2",
  ]);
});

test("vLLM on the processor: weights and cache space in the machine's memory, and a request in the cache space", () => {
  const facts = model("Qwen2.5-Coder-1.5B", "F16");
  const verdict = (cacheSpaceMiB: number, free: number | undefined) =>
    estimateVllmCpu(facts, { ...vllmDefaults, maxModelLen: 32_768 }, cacheSpaceMiB, free).verdict;
  expect(verdict(4096, 16_000)).toBe("fits");
  expect(verdict(4096, 8000)).toBe("does-not-fit");
  expect(verdict(512, 16_000)).toBe("does-not-fit");
  expect(verdict(4096, undefined)).toBe("unknown");
});
