import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { askGpus, gpus, judgeGpus, parseGpus, waitGpus } from "./nvidia-smi.ts";

const finished = (stdout: string, exitCode = 0, stderr = "") => ({ exitCode, stdout, stderr });
// Not recorded: the form of `--format=csv,noheader,nounits` as NVIDIA documents it, one line a GPU, `[N/A]`
// for unknown.
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

const row = (index: number, values: string, name = "NVIDIA H100 80GB HBM3") =>
  `${index}, GPU-5d3c0e8a-0000-0000-0000-00000000000${index}, ${name}, 580.95.05, ${values}, 9.0\n`;
const healthy = row(0, "81559, 512, 3, 41");

// Not recorded. The words in brackets are those of NVML's errors 15 and 16 (NVIDIA, NVML API reference,
// nvmlReturn_t), in the form in which reports from machines of others show them in this table.
test.each([
  [
    "81559, 0, [GPU requires reset], [GPU requires reset]",
    /GPU 1 \(NVIDIA H100.*\): GPU requires reset; reset it/,
  ],
  ["[GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]", /GPU 1 .*: GPU is lost; look for Xid/],
  ["[Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error]", /GPU 1 .*: Unknown Error/],
])("a crashed card does not pass: %s", (values, reason) => {
  const reading = parseGpus(finished(healthy + row(1, values)));
  expect(reading).toEqual({ state: "failed", reason: expect.stringMatching(reason) });
  expect(JSON.stringify(reading)).not.toContain("GPU 0");
  expect(judgeGpus(reading, 1).state).toBe("failed");
});

test("a card that has lost even its name", () => {
  expect(parseGpus(finished(`${healthy}${Array(9).fill("[GPU is lost]").join(", ")}\n`))).toEqual({
    state: "failed",
    reason: expect.stringMatching(/^GPU \?: GPU is lost/),
  });
});

// Not recorded: the sentence as github.com/AlexeyAB/darknet/issues/86 and
// NVIDIA/open-gpu-kernel-modules/issues/387 show it.
const sentence =
  "Unable to determine the device handle for GPU0000:41:00.0: GPU is lost.  Reboot the system to recover this GPU";
test.each([
  [15, `${sentence}\n${healthy}`, ""],
  [255, healthy, `${sentence}\n`],
  [0, `${healthy}${sentence}\n`, ""],
  [15, `WARNING: infoROM is corrupted at gpu 0000:0B:00.0\n${healthy}${sentence}\n`, ""],
])("of a lost card among others its own sentence is shown (exit code %i)", (code, stdout, stderr) => {
  const reading = parseGpus(finished(stdout, code, stderr));
  expect(reading).toEqual({
    state: "failed",
    reason: expect.stringContaining("GPU0000:41:00.0: GPU is lost"),
  });
  expect(JSON.stringify(reading)).not.toMatch(/H100|infoROM/);
});

test("what is not found of a card that answers is not known, not a missing driver", () => {
  expect(parseGpus(finished(row(0, "81559, [Not Found], [Unknown Error], 41")))).toMatchObject({
    state: "ok",
    gpus: [{ memoryUsedMib: undefined, utilizationPercent: undefined, temperatureC: 41 }],
  });
});

// Not recorded: exit code and line as NVIDIA's GPU operator documents them (troubleshooting, "infoROM is
// corrupted").
test.each(["stdout", "stderr"])("a corrupted infoROM is a warning where the card answers (%s)", (where) => {
  const warning = "WARNING: infoROM is corrupted at gpu 0000:0B:00.0";
  const stdout = where === "stdout" ? `${healthy}${warning}\n` : healthy;
  const reading = parseGpus(finished(stdout, 14, where === "stderr" ? `${warning}\n` : ""));
  expect(reading).toMatchObject({ state: "ok", gpus: [{ index: 0 }], warnings: [warning] });
  expect(judgeGpus(reading, 1)).toEqual({ state: "ok", text: `NVIDIA H100 80GB HBM3; ${warning}` });
});

test("of a missing library the line that names it is shown", () => {
  // Both sentences as nvidia-smi prints them (exit code 12: NVML library not found, nvidia-smi(1)).
  const missing =
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver is properly installed and present in your system.\n" +
    "Please also try adding directory that contains libnvidia-ml.so to your system PATH.\n";
  expect(parseGpus(finished(missing, 12))).toEqual({
    state: "failed",
    reason: expect.stringMatching(/exit code 12: NVIDIA-SMI couldn't find libnvidia-ml\.so library/),
  });
  // Form of ld.so's own message (glibc).
  const loader =
    "nvidia-smi: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No such file or directory\n";
  expect(parseGpus(finished("", 127, loader))).toEqual({
    state: "failed",
    reason: expect.stringContaining("libfoo.so.1"),
  });
});

test("Windows ends its lines otherwise", () => {
  expect(parseGpus(finished(two.replaceAll("\n", "\r\n")))).toEqual(parseGpus(finished(two)));
});

test.runIf(process.platform === "linux").each([
  [healthy, 0, 0, ""],
  [`${healthy}WARNING: infoROM is corrupted at gpu 0000:0B:00.0\n`, 14, 0, ""],
  [`${healthy}${row(1, "81559, 0, [GPU requires reset], 41")}`, 0, 1, "GPU requires reset"],
  [`${sentence}\n${healthy}`, 15, 1, "GPU is lost"],
  [
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\nPlease also try\n",
    12,
    1,
    "NVIDIA-SMI couldn't find",
  ],
  ["", 0, 1, "fewer than 1 GPUs answer"],
])("the wait comes to the same: %j, exit code %i", (stdout, code, want, said) => {
  const folder = mkdtempSync(join(tmpdir(), "nvidia-smi-"));
  writeFileSync(join(folder, "out"), stdout);
  writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\ncat ${folder}/out; exit ${code}\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const { status, stdout: words } = spawnSync("sh", ["-c", waitGpus({ kind: "gpu", minimum: 1 }).text], {
    env,
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true });
  expect({ status, words }).toEqual({
    status: want,
    words: said === "" ? "" : expect.stringContaining(said),
  });
});

test("fewer GPUs than wanted is a failure that names those there are", () => {
  expect(judgeGpus(parseGpus(finished(two)), 2).state).toBe("ok");
  expect(askGpus({ kind: "gpu", minimum: 3 }).parse(finished(two))).toEqual({
    state: "failed",
    text: "2 of 3 GPUs answer: NVIDIA GeForce RTX 4090, NVIDIA GB10",
  });
  expect(gpus.timeoutSeconds).toBeLessThanOrEqual(20);
});
