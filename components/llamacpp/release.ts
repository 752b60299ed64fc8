import { type CudaMachine, cudaProblem, newestCuda } from "#components/nvidia/cuda.ts";
import type { MachineRecord } from "#components/serving/machine.ts";

/** Processor, as the names of release archives have it. */
export type Arch = "x64" | "arm64";

/** What is known of a machine that matters for the choice of an archive. */
export interface Machine extends CudaMachine {
  readonly arch: Arch;
}

/** A machine as the inventory records it; where it records no processor, the common one. */
export const machineOf = ({ architecture, gpus, driver }: MachineRecord = {}): Machine => ({
  arch: architecture === "aarch64" ? "arm64" : "x64",
  gpus,
  driver,
});

/**
 * A backend as a release names it: `cpu`, `vulkan`, `cuda-12.8`. `cuda-13` is whichever 13.x the release has.
 */
export type Variant = string;

/**
 * The variant that suits a machine, or why none can be named. A GPU of another maker is not known of, so
 * never `vulkan`.
 */
export function suitableVariant(machine: Machine): { variant: Variant } | { unclear: string } {
  const found = newestCuda(machine);
  if ("unclear" in found) return found;
  return { variant: found.cuda === 0 ? "cpu" : `cuda-${found.cuda}` };
}

/**
 * Why a machine cannot run a variant that was chosen by name; `undefined`: nothing known speaks against it.
 */
export const variantProblem = (variant: Variant, machine: Machine): string | undefined =>
  cudaProblem(Number(/^cuda-(\d+)/.exec(variant)?.[1]), machine);

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

/**
 * Exact variants to ask a release for, the best first: the number behind `cuda-13.` moves from release to
 * release.
 */
export function candidateVariants(variant: Variant): readonly Variant[] {
  if (!/^cuda-\d+$/.test(variant)) return [variant];
  return Array.from({ length: 10 }, (_, index) => `${variant}.${9 - index}`);
}

/** The archives of a variant among those at hand; a CUDA generation takes its newest. */
export function pickArchives(
  tag: string,
  variant: Variant,
  arch: Arch,
  atHand: (name: string) => boolean,
): Archives | undefined {
  return candidateVariants(variant)
    .map((exact) => archivesOf(tag, exact, arch))
    .find(({ programs, runtime }) => atHand(programs) && (!runtime || atHand(runtime)));
}

/** Address of a file of a release. @param project address of the project or of a mirror of it */
export const releaseUrl = (project: string, tag: string, file: string): string =>
  `${project.replace(/\/+$/, "")}/releases/download/${tag}/${file}`;

/** Address of the source of a tag, or of a version. */
export const sourceUrl = (project: string, tag: string): string =>
  `${project.replace(/\/+$/, "")}/archive/refs/tags/${tag}.tar.gz`;
