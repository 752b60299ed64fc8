import type { MachineRecord } from "#components/serving/placement.ts";

/** Processor, as the names of release archives have it. */
export type Arch = "x64" | "arm64";

/** What is known of a machine that matters for the choice of an archive. */
export interface Machine {
  readonly arch: Arch;
  /** Its NVIDIA GPUs; `undefined`: nobody has looked. */
  readonly gpus?: readonly { readonly computeCapability?: string | undefined }[] | undefined;
  /** Version of its NVIDIA driver, such as 580.95.05; `undefined`: none is known. */
  readonly driver?: string | undefined;
}

/** A machine as the inventory records it; where it records no processor, the common one. */
export const machineOf = ({ architecture, gpus, driver }: MachineRecord = {}): Machine => ({
  arch: architecture === "aarch64" ? "arm64" : "x64",
  gpus,
  driver,
});

/** A backend as a release names it: `cpu`, `vulkan`, `cuda-12.8`. `cuda-13` is whichever 13.x the release has. */
export type Variant = string;

/** What programs of a CUDA generation need at least, newest generation first (NVIDIA's compatibility tables). */
const generations = [
  { cuda: 13, driver: 580, computeCapability: 7.5 },
  { cuda: 12, driver: 525, computeCapability: 5.0 },
] as const;

const branchOf = (driver: string) => Number.parseInt(driver, 10);

/** The variant that suits a machine, or why none can be named. A GPU of another maker is not known of, so never `vulkan`. */
export function suitable({ gpus, driver }: Machine): { variant: Variant } | { unclear: string } {
  if (gpus === undefined) return { unclear: "nothing is recorded of its GPUs" };
  if (gpus.length === 0) return { variant: "cpu" };
  if (driver === undefined) return { unclear: "it has an NVIDIA GPU, and no driver is recorded" };
  const oldest = Math.min(...gpus.map(({ computeCapability = "99" }) => Number(computeCapability)));
  const found = generations.find((it) => branchOf(driver) >= it.driver && oldest >= it.computeCapability);
  if (found) return { variant: `cuda-${found.cuda}` };
  return { unclear: `its driver ${driver} or its GPU is too old for CUDA 12` };
}

/** Why a machine cannot run a variant that was chosen by name; `undefined`: nothing known speaks against it. */
export function unsuitable(variant: Variant, { driver }: Machine): string | undefined {
  const major = Number(/^cuda-(\d+)/.exec(variant)?.[1]);
  const needed = generations.find(({ cuda }) => cuda === major)?.driver;
  if (needed === undefined || driver === undefined || branchOf(driver) >= needed) return undefined;
  return `CUDA ${major} needs driver ${needed} or newer, and it has ${driver}`;
}

/** Archives of a variant: the programs, and for CUDA the libraries of its runtime. */
export interface Archives {
  readonly programs: string;
  readonly runtime?: string;
}

/** Names of the archives that hold an exact variant. */
export function archivesOf(tag: string, variant: Variant, arch: Arch): Archives {
  const kind = variant === "cpu" ? "" : `${variant}-`;
  const programs = `llama-${tag}-bin-ubuntu-${kind}${arch}.tar.gz`;
  return variant.startsWith("cuda-") ? { programs, runtime: `cudart-${programs}` } : { programs };
}

/** Exact variants to ask a release for, the best first: the number behind `cuda-13.` moves from release to release. */
export function candidates(variant: Variant): readonly Variant[] {
  if (!/^cuda-\d+$/.test(variant)) return [variant];
  return Array.from({ length: 10 }, (_, index) => `${variant}.${9 - index}`);
}

/** The archives of a variant among those at hand; a CUDA generation takes its newest. */
export function pick(
  tag: string,
  variant: Variant,
  arch: Arch,
  atHand: (name: string) => boolean,
): Archives | undefined {
  return candidates(variant)
    .map((exact) => archivesOf(tag, exact, arch))
    .find(({ programs, runtime }) => atHand(programs) && (!runtime || atHand(runtime)));
}

/** Address of a file of a release. @param project address of the project or of a mirror of it */
export const releaseUrl = (project: string, tag: string, file: string): string =>
  `${project.replace(/\/+$/, "")}/releases/download/${tag}/${file}`;

/** Address of the source of a tag, or of a version. */
export const sourceUrl = (project: string, tag: string): string =>
  `${project.replace(/\/+$/, "")}/archive/refs/tags/${tag}.tar.gz`;
