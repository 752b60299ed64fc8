import { expect, test } from "vitest";
import { askGpus, gpus, judgeGpus, parseGpus } from "./nvidia-smi.ts";

const finished = (stdout: string, exitCode = 0, stderr = "") => ({ exitCode, stdout, stderr });
// Not recorded: the form of `--format=csv,noheader,nounits` as NVIDIA documents it, one line a GPU, `[N/A]` for unknown.
const two = [
  "0, GPU-5d3c0e8a-0000-0000-0000-000000000001, NVIDIA GeForce RTX 4090, 580.95.05, 24564, 512, 3, 41, 8.9",
  "1, GPU-5d3c0e8a-0000-0000-0000-000000000002, NVIDIA GB10, 580.95.05, [N/A], [N/A], 0, [Not Supported], 12.1",
  "",
].join("\n");

test("GPUs, and what a driver does not know", () => {
  expect(parseGpus(finished(two))).toEqual({
    state: "ok",
    gpus: [
      expect.objectContaining({
        index: 0,
        name: "NVIDIA GeForce RTX 4090",
        memoryTotalMib: 24564,
        utilizationPercent: 3,
      }),
      expect.objectContaining({
        index: 1,
        memoryTotalMib: undefined,
        temperatureC: undefined,
        computeCapability: "12.1",
      }),
    ],
  });
});

test.each([
  // Recorded on Debian 12 and 14 without a driver.
  [127, "", "env: 'nvidia-smi': No such file or directory\n", /driver is missing/],
  // Texts of the driver itself (reference: vendor documentation and reports).
  [
    18,
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n",
    "",
    /reboot/,
  ],
  [
    9,
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
    "",
    /module is not loaded/,
  ],
  [6, "No devices were found\n", "", /no GPU/],
  [0, "No devices were found\n", "", /no GPU/],
  [255, "Unable to determine the device handle for GPU0\n", "", /exit code 255: Unable to determine/],
])("exit code %i: %s%s", (code, stdout, stderr, reason) => {
  expect(parseGpus(finished(stdout, code, stderr))).toEqual({
    state: "failed",
    reason: expect.stringMatching(reason),
  });
});

test("a line that is not of a GPU is shown, not guessed at", () => {
  expect(() => parseGpus(finished("WARNING: infoROM is corrupted\n"))).toThrow(/infoROM/);
});

test("fewer GPUs than wanted is a failure that names those there are", () => {
  expect(judgeGpus(parseGpus(finished(two)), 2).state).toBe("ok");
  expect(askGpus({ kind: "gpu", minimum: 3 }).parse(finished(two))).toEqual({
    state: "failed",
    text: "2 of 3 GPUs answer: NVIDIA GeForce RTX 4090, NVIDIA GB10",
  });
  expect(gpus.timeoutSeconds).toBeLessThanOrEqual(20);
});
