import { expect, describe as group, test } from "vitest";
import { MiB } from "#models/facts.ts";
import { estimateLlamaCpp } from "#models/fit/llamacpp.ts";
import { type Device, type LlamaCppSettings, llamaCppDefaults } from "#models/fit/settings.ts";
import { splitLayers } from "#models/fit/split.ts";
import { describedModel, type Quantization } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";

const card = (name: string): Device => ({
  name,
  freeMiB: 11_907,
  totalMiB: 11_907,
  computeCapability: "8.6",
});
const model = (name: string, quantization: Quantization = "Q4_K_M") => {
  const found = describe(name);
  if (found === undefined) throw new Error(`${name} is not described`);
  return describedModel(found, quantization);
};
const q8 = { cacheTypeK: "q8_0", cacheTypeV: "q8_0" } as const;
const estimate = (name: string, settings: Partial<LlamaCppSettings>, devices: readonly Device[]) =>
  estimateLlamaCpp(model(name), { ...llamaCppDefaults, ...settings }, devices);

group("what llama.cpp b10644 logged (records/evidence of AdarGit008/mcgyvr-lab)", () => {
  test("weights, cache and compute buffer of each device, one device and two", () => {
    const [one] = estimate("Qwen2.5-Coder-14B", { context: 16_384, ...q8 }, [card("CUDA0")]).devices;
    expect([one?.weightsMiB, one?.cacheMiB].map((it) => Math.round(it ?? 0))).toEqual([8148, 1632]);
    expect(one?.computeMiB).toBeGreaterThan(127);
    expect(one?.computeMiB).toBeLessThan(127 + 16);
    const two = estimate("Qwen2.5-Coder-32B", { context: 24_576, ...q8 }, [
      card("CUDA0"),
      card("CUDA1"),
    ]).devices;
    expect(two.map(({ weightsMiB, cacheMiB }) => [Math.round(weightsMiB), Math.round(cacheMiB)])).toEqual([
      [9211, 1683],
      [9297, 1581],
    ]);
  });

  test.each([
    [81_920, "fits"],
    [90_112, "fits-without-pipelining"],
    [98_304, "does-not-fit"],
  ] as const)("Qwen3-Coder-30B on two 12 GB cards with %d tokens: %s", (context, verdict) => {
    const devices = [card("CUDA0"), card("CUDA1")];
    expect(estimate("Qwen3-Coder-30B-A3B", { context, ...q8 }, devices).verdict).toBe(verdict);
  });

  test.each([
    [131_072, undefined, "fits-without-pipelining"],
    [147_456, undefined, "does-not-fit"],
    [180_224, [9, 20, 20], "fits-without-pipelining"],
    [196_608, [9, 20, 20], "does-not-fit"],
  ] as const)("with a worker of 6 GB, %d tokens and -ts %j: %s", (context, tensorSplit, verdict) => {
    const devices = [{ name: "RPC0", freeMiB: 5780 }, card("CUDA0"), card("CUDA1")];
    const settings = { context, ...q8, tensorSplit };
    expect(estimate("Qwen3-Coder-30B-A3B", settings, devices).verdict).toBe(verdict);
  });
});

const names = ["Qwen2.5-Coder-14B", "Qwen3.6-35B-A3B", "gpt-oss-20b", "Nemotron-3-Nano-30B"];
const shapes: readonly Partial<LlamaCppSettings>[] = [
  {},
  q8,
  { parallel: 4 },
  { flashAttention: false },
  { unifiedCache: true, parallel: 4 },
  { reservedOutputs: "batch" },
  { cpuExpertLayers: 8 },
];
const totals = (name: string, settings: Partial<LlamaCppSettings>, devices = [card("a"), card("b")]) =>
  estimate(name, settings, devices).devices.map(({ totalMiB }) => totalMiB);

group.each(names)("%s", (name) => {
  test.each(shapes)("needs no less for more context, slots or tokens at once: %j", (shape) => {
    // Devices with nothing free: always the plain estimate, so that pipelining makes no step.
    const none = [
      { ...card("a"), freeMiB: 1 },
      { ...card("b"), freeMiB: 1 },
    ];
    const need = (more: Partial<LlamaCppSettings>) =>
      totals(name, { context: 16_384, ...shape, ...more }, none).reduce((sum, it) => sum + it, 0);
    for (const context of [20_480, 32_768, 131_072])
      expect(need({ context })).toBeGreaterThanOrEqual(need({}));
    // Slots share the context, so each has its own state and the mask is cut: of the cache and state, never
    // less.
    const kept = (parallel: number) =>
      estimate(name, { context: 16_384, ...shape, parallel }, none).devices.reduce(
        (sum, it) => sum + it.cacheMiB + it.stateMiB,
        0,
      );
    for (const parallel of [2, 4, 8]) expect(kept(parallel * 2)).toBeGreaterThanOrEqual(kept(parallel));
    expect(need({ ubatch: 1024 })).toBeGreaterThan(need({ ubatch: 512 }));
  });

  test("is split without loss: weights, cache and state of all devices are those of one", () => {
    const large: Device = { name: "large", freeMiB: 200_000 };
    const one = estimate(name, { context: 8192 }, [large]).devices;
    for (const shares of [
      [1, 1],
      [9, 20, 20],
      [0, 1],
      [1, 2, 3, 4],
    ]) {
      const settings = { context: 8192, tensorSplit: shares };
      const many = estimate(
        name,
        settings,
        shares.map((_, index) => ({ ...large, name: String(index) })),
      ).devices;
      for (const term of ["weightsMiB", "cacheMiB", "stateMiB"] as const)
        expect(many.reduce((sum, it) => sum + it[term], 0)).toBeCloseTo(one[0]?.[term] ?? 0, 3);
    }
    const facts = model(name);
    const { devices, machineMiB } = estimate(name, { context: 8192, gpuLayers: 10 }, [large]);
    const outside = machineMiB - facts.inputBytes / MiB;
    expect((devices[0]?.weightsMiB ?? 0) + outside).toBeGreaterThan(one[0]?.weightsMiB ?? 0);
  });
});

test("MLA and a model of many heads, as logs of other machines have them", () => {
  const large: Device = { name: "large", freeMiB: 2_000_000 };
  const cache = (name: string, settings: Partial<LlamaCppSettings>) =>
    estimate(name, settings, [large]).devices[0]?.cacheMiB ?? 0;
  expect(cache("DeepSeek-R1", { context: 32_768, ...q8 })).toBeCloseTo(1166.62, 1);
  expect(cache("DeepSeek-R1", { context: 65_536 })).toBeCloseTo(4392, 1);
  expect(cache("GLM-Z1-32B", { context: 32_768 })).toBe(1952);
  expect(cache("DeepSeek-Coder-V2-Lite", { context: 8192 })).toBe(2160);
  const state = estimate("Qwen3.6-35B-A3B", { parallel: 8 }, [large]).devices[0]?.stateMiB;
  expect(state).toBe(502.5);
});

test("layers go to devices as llama.cpp counts: the output is one more, the first ones stay with the processor", () => {
  expect(splitLayers(48, 49, [1, 1]).filter((it) => it === 0)).toHaveLength(25);
  expect(splitLayers(48, 49, [9, 20, 20]).slice(0, 10)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(splitLayers(4, 2, [1])).toEqual([undefined, undefined, undefined, 0, 0]);
  expect(splitLayers(2, 3, [])).toEqual([undefined, undefined, undefined]);
});

test("experts in the machine's memory leave the GPU and are counted there", () => {
  const all = estimate("gpt-oss-20b", {}, [card("a")]);
  const some = estimate("gpt-oss-20b", { cpuExpertLayers: 24 }, [card("a")]);
  const moved = (all.devices[0]?.weightsMiB ?? 0) - (some.devices[0]?.weightsMiB ?? 0);
  expect(moved).toBeGreaterThan(9000);
  expect(some.machineMiB - all.machineMiB).toBeCloseTo(moved, 3);
});

test("a window keeps what it looks back at, for each slot; --swa-full keeps all", () => {
  const cache = (settings: Partial<LlamaCppSettings>) =>
    Math.round(
      estimate("gpt-oss-20b", { context: 8192, parallel: 8, ...settings }, [card("a")]).devices[0]
        ?.cacheMiB ?? 0,
    );
  // 192 MiB of full layers, and 96, 144 and 192 logged for the others.
  expect([256, 512, 1024].map((ubatch) => cache({ ubatch }))).toEqual([288, 336, 384]);
  expect(cache({ fullWindowCache: true })).toBe(384);
});

test("a GPU that tells no memory is not judged, and a machine without one holds everything itself", () => {
  const silent = estimate("Qwen2.5-Coder-14B", {}, [{ name: "unified", freeMiB: undefined }]);
  expect(silent.verdict).toBe("unknown");
  const facts = model("Qwen2.5-Coder-14B");
  const without = (free: number) => estimateLlamaCpp(facts, llamaCppDefaults, [], free);
  expect(without(16_000)).toMatchObject({ verdict: "fits", devices: [] });
  expect(without(8000).verdict).toBe("does-not-fit");
  expect(without(16_000).machineMiB).toBeGreaterThan(facts.totalBytes / MiB);
});
