import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import type { GpuProbe, Verdict } from "./probes/probe.ts";

/** One GPU as its driver reports it; what a driver does not know (`[N/A]`) is undefined. */
interface Gpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly driver: string;
  readonly memoryTotalMib: number | undefined;
  readonly memoryUsedMib: number | undefined;
  readonly utilizationPercent: number | undefined;
  readonly temperatureC: number | undefined;
  /** Such as 8.9; decides which kernels run. */
  readonly computeCapability: string | undefined;
}

/** Either the GPUs, or why the driver does not answer, in the operator's words. */
export type GpuReading =
  | { readonly state: "ok"; readonly gpus: readonly Gpu[] }
  | { readonly state: "failed"; readonly reason: string };

const fields = [
  "index",
  "uuid",
  "name",
  "driver_version",
  "memory.total",
  "memory.used",
  "utilization.gpu",
  "temperature.gpu",
  "compute_cap",
];

// In WSL the driver's tools come from Windows and are not on root's PATH.
const query = sh`env PATH="$PATH:/usr/lib/wsl/lib" nvidia-smi --query-gpu=${fields.join(",")} --format=csv,noheader,nounits`;

/** `[N/A]`, `[Not Supported]`, `[Unknown Error]`: not known. */
const known = (value: string | undefined) =>
  value === undefined || /^\[.*\]$|^$/.test(value) ? undefined : value;

function number(value: string | undefined): number | undefined {
  const parsed = Number.parseFloat(known(value) ?? "");
  return Number.isNaN(parsed) ? undefined : parsed;
}

function parseGpu(line: string): Gpu {
  const parts = line.split(",").map((part) => part.trim());
  const [index, uuid, name, driver, total, used, utilization, temperature, capability] = parts;
  if (parts.length !== fields.length || !/^\d+$/.test(index ?? ""))
    throw new Error(`nvidia-smi answered a line that is not of a GPU: ${line}`);
  return {
    index: Number(index),
    uuid: uuid ?? "",
    name: name ?? "",
    driver: driver ?? "",
    memoryTotalMib: number(total),
    memoryUsedMib: number(used),
    utilizationPercent: number(utilization),
    temperatureC: number(temperature),
    computeCapability: known(capability),
  };
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/not found|no such file/i, "nvidia-smi is not installed: the NVIDIA driver is missing"],
  [
    /driver\/library version mismatch/i,
    "the loaded driver is another version than the installed one: reboot the host",
  ],
  [/couldn't communicate with the NVIDIA driver/i, "the NVIDIA kernel module is not loaded"],
  [/no devices were found/i, "the driver sees no GPU"],
];

/** Pure reading of what nvidia-smi answered. */
export function parseGpus({ exitCode, stdout, stderr }: Finished): GpuReading {
  const all = `${stdout}\n${stderr}`;
  const reason = reasons.find(([pattern]) => pattern.test(all))?.[1];
  if (exitCode === 0 && reason === undefined) {
    const lines = stdout.split("\n").filter((line) => line.trim() !== "");
    return lines.length === 0
      ? { state: "failed", reason: "the driver sees no GPU" }
      : { state: "ok", gpus: lines.map(parseGpu) };
  }
  const last = all.trim().split("\n").at(-1) ?? "";
  return { state: "failed", reason: reason ?? `nvidia-smi failed with exit code ${exitCode}: ${last}` };
}

/** The GPUs of a host. A driver that hangs makes this question alone run out of time. */
export const gpus: Fact<GpuReading> = {
  name: "nvidia-smi",
  command: query,
  timeoutSeconds: 20,
  parse: parseGpus,
};

export function judgeGpus(reading: GpuReading, minimum: number): Verdict {
  if (reading.state === "failed") return { state: "failed", text: reading.reason };
  const names = reading.gpus.map((gpu) => gpu.name).join(", ");
  return reading.gpus.length < minimum
    ? { state: "failed", text: `${reading.gpus.length} of ${minimum} GPUs answer: ${names}` }
    : { state: "ok", text: names };
}

export const askGpus = (probe: GpuProbe): Fact<Verdict> => ({
  ...gpus,
  parse: (finished) => judgeGpus(parseGpus(finished), probe.minimum),
});

/** The same question for a `wait` step: exit 0 when at least `minimum` GPUs answer. */
export const waitGpus = (probe: GpuProbe): ShellCommand =>
  sh`seen=$(timeout 20 ${query} 2>&1) || { printf '%s\\n' "\${seen:-nvidia-smi did not answer within 20 s}" | tail -n 1; exit 1; }
[ "$(printf '%s\\n' "$seen" | grep -c '^[0-9]')" -ge ${probe.minimum} ] || { echo "fewer than ${probe.minimum} GPUs answer"; exit 1; }`;
