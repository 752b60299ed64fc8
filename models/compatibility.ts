import {
  type CudaBuild,
  cudaBuilds,
  cudaGenerations,
  type DriverLine,
  driverLines,
  moduleFlavours,
} from "#models/compatibility-data.ts";

/** A GPU as the inventory records it; what its driver does not tell (`[N/A]`) is undefined. */
export interface RecordedGpu {
  readonly name?: string | undefined;
  readonly memoryMiB?: number | undefined;
  /** Such as `8.9`. */
  readonly computeCapability?: string | undefined;
}

/** What is recorded of a machine. */
export interface RecordedMachine {
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
 * The build of an engine that suits all GPUs of a machine, the preferred one first.
 * A machine without an NVIDIA GPU gets `cpu`.
 */
export function chooseBuild(engine: CudaBuild["engine"], machine: RecordedMachine): Choice {
  if (machine.gpus === undefined)
    return { reasons: ["nothing is recorded of its GPUs: npm run host refresh"] };
  if (machine.gpus.length === 0) return { variant: "cpu", warnings: [] };
  if (machine.driver === undefined) return { reasons: ["it has an NVIDIA GPU, and no driver is recorded"] };
  const judged = cudaBuilds
    .filter((build) => build.engine === engine)
    .map((build) => ({ variant: build.variant, ...judgeBuild(build, machine) }));
  const found = judged.find(({ reasons }) => reasons.length === 0);
  if (found) return { variant: found.variant, warnings: found.warnings };
  return { reasons: judged.map(({ variant, reasons }) => `${variant}: ${reasons.join("; ")}`) };
}

/** Why a build that was chosen by name cannot run on a machine; nothing is held against it that nobody has looked at. */
export function refusals(
  engine: CudaBuild["engine"],
  variant: string,
  machine: RecordedMachine,
): readonly string[] {
  const build = cudaBuilds.find((it) => it.engine === engine && isSame(it.variant, variant));
  if (build !== undefined) return judgeBuild(build, machine).reasons;
  const major = Number(/^cu(?:da-)?(\d\d)/.exec(variant)?.[1]);
  return Number.isNaN(major) ? [] : driverReasons(major, machine.driver);
}

/** `cuda-12.8` is the build `cuda-12` of a release. */
const isSame = (build: string, variant: string) => variant === build || variant.startsWith(`${build}.`);

function judgeBuild(build: CudaBuild, { architecture = "x86_64", gpus = [], driver }: RecordedMachine) {
  const processor = build.processors.includes(architecture) ? [] : [`there is no build for ${architecture}`];
  const kernels = gpus.flatMap((gpu) => kernelReasons(build, gpu));
  const reasons = [
    ...processor,
    ...driverReasons(Number.parseInt(build.cuda, 10), driver),
    ...new Set(kernels),
  ];
  return { reasons, warnings: warningsOf(build, gpus, driver) };
}

function driverReasons(cudaMajor: number, driver: string | undefined): string[] {
  const needed = cudaGenerations.find(({ major }) => major === cudaMajor)?.driver;
  if (needed === undefined || driver === undefined || branchOf(driver) >= needed) return [];
  return [`CUDA ${cudaMajor} needs driver ${needed} or newer, and it has ${driver}`];
}

function kernelReasons(
  { cuda, capabilities }: CudaBuild,
  { name = "a GPU", computeCapability }: RecordedGpu,
): string[] {
  if (computeCapability === undefined || capabilities.some((has) => runsOn(has, computeCapability)))
    return [];
  const lowest =
    cudaGenerations.find(({ major }) => major === Number.parseInt(cuda, 10))?.lowestCapability ?? 0;
  const old =
    Number(computeCapability) < lowest
      ? `; CUDA ${Number.parseInt(cuda, 10)} begins at ${lowest.toFixed(1)}`
      : "";
  return [`it has no kernels for ${name} (compute capability ${computeCapability})${old}`];
}

/** Kernels run on GPUs of their own major version with the same or a higher minor one. */
function runsOn(built: string, gpu: string): boolean {
  const [builtMajor, builtMinor = 0] = built.split(".").map(Number);
  const [major, minor = 0] = gpu.split(".").map(Number);
  return builtMajor === major && builtMinor <= minor;
}

function warningsOf(build: CudaBuild, gpus: readonly RecordedGpu[], driver: string | undefined): string[] {
  const line = driver === undefined ? undefined : driverLine(driver);
  const partly = driver !== undefined && branchOf(driver) < build.fullDriver;
  const silent = gpus.filter(({ computeCapability }) => computeCapability === undefined);
  const mixed = new Set(gpus.map(({ name }) => name)).size > 1;
  return [
    ...(partly ? [`driver ${driver} is older than CUDA ${build.cuda}: ${line?.means ?? "upgrade it"}`] : []),
    ...silent.map(({ name = "a GPU" }) => `${name} does not tell its compute capability: not judged`),
    ...(mixed
      ? [
          `it has different GPUs (${gpus.map(({ name = "unnamed" }) => name).join(", ")}): the slowest sets the pace`,
        ]
      : []),
  ];
}

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

/** Which kernel modules and driver branches suit a machine's GPUs; an old and a new generation may exclude each other. */
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
