import {
  type CudaBuild,
  cudaBuilds,
  cudaGenerations,
  type DriverLine,
  driverLines,
  moduleFlavours,
} from "#models/compatibility-data.ts";

/** A GPU as the inventory records it; what its driver does not tell (`[N/A]`) is undefined. */
interface RecordedGpu {
  readonly name?: string | undefined;
  readonly memoryMiB?: number | undefined;
  /** Such as `8.9`. */
  readonly computeCapability?: string | undefined;
}

/** What is recorded of a machine. */
export interface RecordedMachine {
  /** @default linux, WSL included */
  readonly system?: "linux" | "windows" | undefined;
  /** As `uname -m` prints it. @default x86_64 */
  readonly architecture?: string | undefined;
  /** Its NVIDIA GPUs; empty: it has none; `undefined`: nobody has looked. */
  readonly gpus?: readonly RecordedGpu[] | undefined;
  /** Version of its NVIDIA driver, such as 580.95.05. */
  readonly driver?: string | undefined;
}

/** The build for a machine, or why none can be named. */
export type Choice =
  | {
      /** As the engine's releases name it, or `cpu`. */
      readonly variant: string;
      /** What an operator should know of it. */
      readonly warnings: readonly string[];
    }
  | {
      /** One reason for each build that was considered, or what is not known of the machine. */
      readonly reasons: readonly string[];
    };

/**
 * The build of an engine that suits all GPUs of a machine: the preferred one that runs without a risk, else
 * the preferred one that runs at all. A machine without an NVIDIA GPU gets `cpu`.
 */
export function chooseBuild(engine: CudaBuild["engine"], machine: RecordedMachine): Choice {
  if (machine.gpus === undefined) return { reasons: ["nothing is recorded of its GPUs"] };
  if (machine.gpus.length === 0) return { variant: "cpu", warnings: [] };
  if (machine.driver === undefined) return { reasons: ["it has an NVIDIA GPU, and no driver is recorded"] };
  const judged = buildsOf(engine, machine).map((build) => ({ build, ...judgeBuild(build, machine) }));
  const able = judged.filter(({ reasons }) => reasons.length === 0);
  const found = able.find(({ risks }) => risks.length === 0) ?? able[0];
  if (found === undefined)
    return { reasons: judged.map(({ build, reasons }) => `${build.variant}: ${reasons.join("; ")}`) };
  return { variant: found.build.variant, warnings: [...found.risks, ...peculiarities(machine.gpus)] };
}

/**
 * Why a build that was chosen by name cannot run on a machine; nothing is held against it that nobody has
 * looked at, and a build that is not known here is judged by its CUDA generation alone.
 */
export function refusals(
  engine: CudaBuild["engine"],
  variant: string,
  machine: RecordedMachine,
): readonly string[] {
  const build = buildsOf(engine, machine).find((it) => isSame(it.variant, variant));
  if (build !== undefined) return judgeBuild(build, machine).reasons;
  const major = Number(/^cu(?:da-)?(\d\d)/.exec(variant)?.[1]);
  return Number.isNaN(major) ? [] : driverReasons(major, machine.driver);
}

const buildsOf = (engine: CudaBuild["engine"], { system = "linux" }: RecordedMachine) =>
  cudaBuilds.filter((build) => build.engine === engine && build.system === system);

/** `cuda-12.8` is the build `cuda-12` of a release. */
const isSame = (build: string, variant: string) => variant === build || variant.startsWith(`${build}.`);

/** Reasons keep a build from running; risks let it start and may stop it later. */
function judgeBuild(build: CudaBuild, { architecture = "x86_64", gpus = [], driver }: RecordedMachine) {
  const which = (how: ReturnType<typeof howItRuns>) =>
    gpus.filter((gpu) => howItRuns(build, gpu.computeCapability) === how);
  return {
    reasons: [
      ...(build.processors.includes(architecture) ? [] : [`there is no build for ${architecture}`]),
      ...driverReasons(Number.parseInt(build.cuda, 10), driver),
      ...unique(
        which("not").map((gpu) => `it has no code for ${titleOf(gpu)}, and begins at ${build.lowest}`),
      ),
    ],
    risks: driver === undefined ? [] : risksOf(build, driver, which("ptx")),
  };
}

/**
 * Machine code runs on any driver of the generation; what has to be compiled needs one that knows this CUDA.
 */
function risksOf(
  { cuda, fullDriver, compilesItself }: CudaBuild,
  driver: string,
  ptx: readonly RecordedGpu[],
): string[] {
  if (branchOf(driver) >= fullDriver) return [];
  const line = driverLine(driver)?.means;
  const what = [
    ...(compilesItself ? ["it compiles kernels while it runs"] : []),
    ...unique(ptx.map((gpu) => `its code for ${titleOf(gpu)} is compiled by the driver`)),
  ];
  if (what.length === 0) return [];
  const can = line === undefined ? "" : ` (this line runs ${line})`;
  return [`driver ${driver} is older than CUDA ${cuda}, and ${what.join(", ")}${can}`];
}

function driverReasons(cudaMajor: number, driver: string | undefined): string[] {
  const needed = cudaGenerations.find(({ major }) => major === cudaMajor)?.driver;
  if (needed === undefined || driver === undefined || branchOf(driver) >= needed) return [];
  return [`CUDA ${cudaMajor} needs driver ${needed} or newer, and it has ${driver}`];
}

/** What of a build runs on a GPU; one that does not tell its compute capability is not held against it. */
function howItRuns(build: CudaBuild, capability: string | undefined): "compiled" | "ptx" | "not" | "unknown" {
  if (capability === undefined) return "unknown";
  if (Number(capability) < Number(build.lowest)) return "not";
  if (build.compiled.some((has) => sameMajor(has, capability))) return "compiled";
  return build.ptx.some((has) => Number(has) <= Number(capability)) ? "ptx" : "not";
}

function sameMajor(built: string, gpu: string): boolean {
  const [builtMajor, builtMinor = 0] = built.split(".").map(Number);
  const [major, minor = 0] = gpu.split(".").map(Number);
  return builtMajor === major && builtMinor <= minor;
}

/** What is unusual about a machine's GPUs, and does not stop a build. */
function peculiarities(gpus: readonly RecordedGpu[]): string[] {
  const silent = gpus.filter(({ computeCapability }) => computeCapability === undefined);
  const names = unique(gpus.map(({ name = "unnamed" }) => name));
  return [
    ...silent.map(({ name = "a GPU" }) => `${name} does not tell its compute capability: not judged`),
    ...(names.length > 1 ? [`it has different GPUs (${names.join(", ")}): the slowest sets the pace`] : []),
  ];
}

const titleOf = ({ name = "a GPU", computeCapability }: RecordedGpu) =>
  `${name} (compute capability ${computeCapability})`;
const unique = (texts: readonly string[]) => [...new Set(texts)];

/** What a driver's line can run; `undefined`: older than any line here. */
export const driverLine = (driver: string): DriverLine | undefined =>
  driverLines.find(({ from, to }) => branchOf(driver) >= from && branchOf(driver) <= to);

const branchOf = (driver: string) => Number.parseInt(driver, 10);

/** Kernel modules that suit all GPUs of a machine. */
export interface ModuleChoice {
  /** Preferred first; empty: the GPUs exclude each other. */
  readonly flavours: readonly ("open" | "proprietary")[];
  readonly firstBranch: number;
  readonly lastBranch: number;
}

/**
 * Which kernel modules and driver branches suit a machine's GPUs; an old and a new generation may exclude
 * each other.
 */
export function chooseModules(computeCapabilities: readonly string[]): ModuleChoice {
  const rows = computeCapabilities.map((capability) =>
    moduleFlavours.find(({ to }) => Number(capability) <= to),
  );
  const each = rows.filter((row) => row !== undefined);
  const flavours = (["open", "proprietary"] as const).filter((flavour) =>
    each.every((row) => row.flavours.includes(flavour)),
  );
  return {
    flavours,
    firstBranch: Math.max(0, ...each.map(({ firstBranch = 0 }) => firstBranch)),
    lastBranch: Math.min(9999, ...each.map(({ lastBranch = 9999 }) => lastBranch)),
  };
}
