import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { splitLines } from "./lines.ts";
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

/** Either the GPUs, or why they cannot be used, in the operator's words. */
export type GpuReading =
  | {
      readonly state: "ok";
      readonly gpus: readonly Gpu[];
      /** What the driver complains of while all of them answer, such as a corrupted infoROM. */
      readonly warnings?: readonly string[];
    }
  | { readonly state: "failed"; readonly reason: string };

const noGpu = "the driver sees no GPU";

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

/** `[N/A]`, `[Not Supported]`, `[Not Found]`, `[Unknown Error]`: not known. */
const known = (value: string | undefined) =>
  value === undefined || /^\[.*\]$|^$/.test(value) ? undefined : value;

function number(value: string | undefined): number | undefined {
  const parsed = Number.parseFloat(known(value) ?? "");
  return Number.isNaN(parsed) ? undefined : parsed;
}

/** A line of the table: a GPU's number first. Of a crashed card even that may be missing. */
const isRow = (line: string) => /^(\d+|\[[^\]]*\]),/.test(line) && line.split(",").length === fields.length;

/**
 * What stands in the place of a value of a card that has crashed, as NVML words its errors 15, 16 and 999.
 */
const crashed = /^\[(.*(?:\bis lost|requires (?:a )?reset|reset required|fallen off the bus).*)\]$/i;
const unknownError = /^\[?(Unknown Error|ERR!)\]?$/i;

/** Why a card cannot be used, though it has a line; `undefined` if it can. */
function trouble(line: string): string | undefined {
  const values = line.split(",").map((value) => value.trim());
  const [index, uuid, name] = values;
  const readings = values.slice(4, 8);
  const said =
    values.map((value) => crashed.exec(value)?.[1]).find((found) => found !== undefined) ??
    // A card that some single value cannot be had of is well; one that fails all of them is not.
    (readings.some((value) => unknownError.test(value)) &&
    readings.every((value) => number(value) === undefined)
      ? "Unknown Error"
      : undefined);
  if (said === undefined) return undefined;
  const card = [known(name), known(uuid)].filter((word) => word !== undefined).join(", ");
  return `GPU ${known(index) ?? "?"}${card === "" ? "" : ` (${card})`}: ${said}; ${cure(said)}`;
}

const cure = (said: string) =>
  /reset/i.test(said)
    ? "reset it (nvidia-smi --gpu-reset -i INDEX, with nothing running on it) or reboot the host"
    : "look for Xid in `journalctl -k`, and switch the host off and on";

function parseGpu(line: string): Gpu {
  const parts = line.split(",").map((part) => part.trim());
  const [
    index = "",
    uuid = "",
    name = "",
    driver = "",
    total,
    used,
    utilization,
    temperature,
    capability = "",
  ] = parts;
  if (!/^\d+$/.test(index) || !/^(\d+\.\d+|\[.*\])$/.test(capability))
    throw new Error(`nvidia-smi answered a line that is not of a GPU: ${line}`);
  return {
    index: Number(index),
    uuid: known(uuid) ?? "",
    name: known(name) ?? "",
    driver: known(driver) ?? "",
    memoryTotalMib: number(total),
    memoryUsedMib: number(used),
    utilizationPercent: number(utilization),
    temperatureC: number(temperature),
    computeCapability: known(capability),
  };
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [
    /nvidia-smi\S*: (command )?not found|nvidia-smi\S*: No such file or directory/i,
    "nvidia-smi is not installed: the NVIDIA driver is missing",
  ],
  [
    /driver\/library version mismatch/i,
    "the loaded driver is another version than the installed one: reboot the host",
  ],
  [/couldn't communicate with the NVIDIA driver/i, "the NVIDIA kernel module is not loaded"],
  [/no devices were found/i, noGpu],
];

const isWarning = (line: string) => /^warning\b/i.test(line);
/** A card that has no line in the table has a sentence of its own. */
const ofCard = /unable to determine the device handle|gpu.*(is lost|requires reset)/i;

/** Exit codes that come with a table: 14 warns of a corrupted infoROM, and the cards answer. */
const answered: readonly number[] = [0, 14];

/** Pure reading of what nvidia-smi answered. */
export function parseGpus({ exitCode, stdout, stderr }: Finished): GpuReading {
  const lines = splitLines(`${stdout}\n${stderr}`)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const rows = lines.filter(isRow);
  const warnings = lines.filter(isWarning);
  const said = lines.filter((line) => !isRow(line) && !isWarning(line));
  const lost = [...rows.flatMap((row) => trouble(row) ?? []), ...said.filter((line) => ofCard.test(line))];
  if (lost.length > 0) return { state: "failed", reason: failure(exitCode, lost.join("; ")) };
  const reason = reasons.find(([pattern]) => said.some((line) => pattern.test(line)))?.[1];
  if (reason !== undefined) return { state: "failed", reason };
  if (!answered.includes(exitCode))
    return { state: "failed", reason: failure(exitCode, said[0] ?? warnings[0] ?? "it said nothing") };
  const strange = splitLines(stdout).find((line) => said.includes(line.trim()));
  if (strange !== undefined || (rows.length === 0 && warnings.length > 0))
    throw new Error(`nvidia-smi answered a line that is not of a GPU: ${strange ?? warnings[0]}`);
  if (rows.length === 0) return { state: "failed", reason: noGpu };
  return { state: "ok", gpus: rows.map(parseGpu), ...(warnings.length > 0 ? { warnings } : {}) };
}

const failure = (exitCode: number, said: string) =>
  answered.includes(exitCode) ? said : `nvidia-smi failed with exit code ${exitCode}: ${said}`;

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
  if (reading.gpus.length < minimum)
    return { state: "failed", text: `${reading.gpus.length} of ${minimum} GPUs answer: ${names}` };
  return { state: "ok", text: [names, ...(reading.warnings ?? [])].join("; ") };
}

export const askGpus = (probe: GpuProbe): Fact<Verdict> => ({
  ...gpus,
  parse: (finished) => judgeGpus(parseGpus(finished), probe.minimum),
});

/** The same question for a `wait` step: exit 0 when at least `minimum` GPUs answer, and none has crashed. */
export const waitGpus = (probe: GpuProbe): ShellCommand =>
  sh`said=$(timeout 20 ${query} 2>&1); code=$?
telling() { printf '%s\\n' "$said" | grep -i "$@" | head -n 1; }
[ $code != 124 ] || { echo "nvidia-smi did not answer within 20 s"; exit 1; }
bad=$(telling -E 'unable to determine the device handle|is lost|requires reset|reset required')
[ -z "$bad" ] || { printf '%s\\n' "$bad"; exit 1; }
case $code in
0|14) ;;
*) bad=$(telling -v -E '^(warning|[0-9]+,)'); echo "\${bad:-nvidia-smi failed with exit code $code}"; exit 1 ;;
esac
[ "$(printf '%s\\n' "$said" | grep -c '^[0-9][0-9]*,')" -ge ${probe.minimum} ] || { echo "fewer than ${probe.minimum} GPUs answer"; exit 1; }`;
