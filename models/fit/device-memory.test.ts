import { expect, test } from "vitest";
import { plannedDevice } from "#models/fit/device-memory.ts";

test("free for us is what programs can have, less reserve, declared services and foreign processes", () => {
  const gpu = { memoryMiB: 12_288, reservedMiB: 381, computeCapability: "8.6" };
  expect(plannedDevice("rack1 CUDA0", gpu, { reserveMiB: 500, declaredMiB: 4000, foreignMiB: 200 })).toEqual({
    name: "rack1 CUDA0",
    totalMiB: 11_907,
    freeMiB: 7207,
    computeCapability: "8.6",
  });
  expect(plannedDevice("full", gpu, { declaredMiB: 20_000 }).freeMiB).toBe(0);
});

test("what the driver keeps is assumed where it is not recorded, and never less than cards were seen to keep", () => {
  // Total by nvidia-smi and usable as logged: RTX 3060, 3090, 4090, 5090, H100.
  const logged = [
    [12_288, 11_907],
    [24_576, 24_146],
    [24_564, 24_115],
    [32_607, 32_123],
    [81_559, 81_121],
  ] as const;
  for (const [memoryMiB, usable] of logged) {
    const { freeMiB = Number.NaN } = plannedDevice("card", { memoryMiB });
    expect(freeMiB).toBeLessThanOrEqual(usable);
    expect(freeMiB).toBeGreaterThan(usable - 120);
  }
});

test("unified memory is the machine's; where nobody tells either, nothing is known", () => {
  expect(plannedDevice("spark CUDA0", {}, {}, 110_000)).toMatchObject({
    totalMiB: 110_000,
    freeMiB: 110_000,
  });
  expect(plannedDevice("thor CUDA0", {}).freeMiB).toBeUndefined();
});
