import { expect, test } from "vitest";
import { chooseBuild, chooseModules, driverLine, refusals } from "#models/compatibility.ts";
import { cudaBuilds, driverLines } from "#models/compatibility-data.ts";

const rtx4090 = { name: "RTX 4090", computeCapability: "8.9", memoryMiB: 24_564 };
const h100 = { name: "H100", computeCapability: "9.0" };
const p40 = { name: "Tesla P40", computeCapability: "6.1" };
const rtx5090 = { name: "RTX 5090", computeCapability: "12.0" };
const spark = { name: "GB10", computeCapability: "12.1" };

test.each([
  ["vllm", [rtx4090], "580.95.05", "cu130"],
  ["vllm", [rtx4090], "575.57.08", "cu129"],
  ["vllm", [spark], "580.95.05", "cu130"],
  ["llamacpp", [rtx4090], "580.95.05", "cuda-13"],
  ["llamacpp", [rtx4090], "545.23.08", "cuda-12"],
  ["llamacpp", [rtx4090, p40], "580.95.05", "cuda-12"],
  ["llamacpp", [], undefined, "cpu"],
  ["vllm", [], undefined, "cpu"],
] as const)("%s on %j with driver %s: %s", (engine, gpus, driver, variant) => {
  expect(chooseBuild(engine, { gpus, driver })).toEqual({
    variant,
    warnings: gpus.length > 1 ? [expect.stringContaining("different GPUs")] : [],
  });
});

test("a driver between 545 and 574 runs vLLM's CUDA 12.9 wheel at one's own risk, and is told the cure", () => {
  const choice = chooseBuild("vllm", { gpus: [rtx4090], driver: "550.163.01" });
  expect(choice).toMatchObject({ variant: "cu129", warnings: [expect.stringContaining("own risk")] });
  expect(driverLine("545.84")?.means).toContain("A driver of 580 or newer removes the risk");
});

test("a build whose code the driver would have to compile comes after one that it knows", () => {
  // CUDA 13.3 has only PTX for Hopper, and driver 580 knows CUDA 13.0; 12.8 it knows.
  expect(chooseBuild("llamacpp", { gpus: [h100], driver: "580.95.05" })).toEqual({
    variant: "cuda-12",
    warnings: [],
  });
  expect(chooseBuild("llamacpp", { gpus: [h100], driver: "545.23.08" })).toMatchObject({
    variant: "cuda-12",
    warnings: [expect.stringContaining("H100 (compute capability 9.0) is compiled by the driver")],
  });
});

test("what fits no build is told for each, with the GPU or driver that stands against it", () => {
  expect(chooseBuild("vllm", { gpus: [rtx4090, p40], driver: "580.95.05" })).toEqual({
    reasons: [
      "cu130: it has no code for Tesla P40 (compute capability 6.1), and begins at 7.5",
      "cu129: it has no code for Tesla P40 (compute capability 6.1), and begins at 7.5",
    ],
  });
  expect(chooseBuild("vllm", { gpus: [rtx4090], driver: "470.256.02" })).toEqual({
    reasons: [
      "cu130: CUDA 13 needs driver 580 or newer, and it has 470.256.02",
      "cu129: CUDA 12 needs driver 525 or newer, and it has 470.256.02",
    ],
  });
  expect(
    chooseBuild("vllm", { architecture: "ppc64le", gpus: [rtx4090], driver: "580.95.05" }),
  ).toMatchObject({
    reasons: [expect.stringContaining("no build for ppc64le"), expect.anything()],
  });
});

test("what nobody has looked at is said, and never judged", () => {
  expect(chooseBuild("vllm", {})).toEqual({ reasons: ["nothing is recorded of its GPUs"] });
  expect(chooseBuild("vllm", { gpus: [rtx4090] })).toMatchObject({
    reasons: [expect.stringContaining("no driver")],
  });
  expect(chooseBuild("vllm", { gpus: [{ name: "Thor" }], driver: "580.95.05" })).toEqual({
    variant: "cu130",
    warnings: ["Thor does not tell its compute capability: not judged"],
  });
  expect(refusals("vllm", "cu130", {})).toEqual([]);
});

test("a build named by hand is refused for the same reasons; one that is not known, by its generation", () => {
  expect(refusals("llamacpp", "cuda-12.8", { gpus: [rtx4090], driver: "580.95.05" })).toEqual([]);
  expect(refusals("llamacpp", "cuda-13.3", { gpus: [p40], driver: "580.95.05" })).toEqual([
    "it has no code for Tesla P40 (compute capability 6.1), and begins at 7.5",
  ]);
  expect(refusals("vllm", "cu132", { gpus: [rtx4090], driver: "575.57.08" })).toEqual([
    "CUDA 13 needs driver 580 or newer, and it has 575.57.08",
  ]);
  expect(refusals("llamacpp", "vulkan", { gpus: [rtx4090], driver: "470.0" })).toEqual([]);
});

test("Windows has builds of its own", () => {
  const machine = { system: "windows", gpus: [rtx5090], driver: "581.29" } as const;
  expect(chooseBuild("llamacpp", machine)).toEqual({ variant: "cuda-13", warnings: [] });
  expect(chooseBuild("llamacpp", { ...machine, gpus: [rtx4090], driver: "551.61" })).toEqual({
    variant: "cuda-12",
    warnings: [],
  });
});

test("kernel modules: open for the newest, proprietary for the oldest, none for both in one machine", () => {
  expect(chooseModules(["8.9", "9.0"])).toEqual({
    flavours: ["open", "proprietary"],
    firstBranch: 0,
    lastBranch: 9999,
  });
  expect(chooseModules(["8.9", "6.1"])).toEqual({
    flavours: ["proprietary"],
    firstBranch: 0,
    lastBranch: 580,
  });
  expect(chooseModules(["12.0"])).toEqual({ flavours: ["open"], firstBranch: 570, lastBranch: 9999 });
  expect(chooseModules(["12.0", "6.1"]).flavours).toEqual([]);
});

test("every statement has its source and day, and the driver lines leave no gap from 525 on", () => {
  for (const { source, read } of [...cudaBuilds, ...driverLines]) {
    expect(source).not.toBe("");
    expect(Date.parse(read)).not.toBeNaN();
  }
  const lines = driverLines.toSorted((a, b) => a.from - b.from);
  expect(lines[0]?.from).toBe(525);
  for (const [index, line] of lines.entries())
    expect(lines[index + 1]?.from ?? line.to + 1).toBe(line.to + 1);
});
