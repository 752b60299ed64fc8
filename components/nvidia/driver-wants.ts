import type { MachineFacts } from "#inventory/machine-facts.ts";
import type { NvidiaWish } from "#inventory/nvidia-wish.ts";
import { chooseModules, type ModuleChoice } from "#models/compatibility.ts";
import { generationOf } from "./pci-generations.ts";
import { repositoryPath } from "./repository.ts";

/** A machine with what is wished of its driver. */
export type DriverMachine = Pick<MachineFacts, "driver" | "gpus" | "release" | "architecture"> & {
  readonly nvidia?: NvidiaWish | undefined;
};

type ManagedWish = Extract<NvidiaWish, { driver: "managed" }>;

/** What is installed on a machine whose driver is managed. */
export interface ManagedDriver {
  readonly branch: number;
  readonly modules: "open" | "proprietary";
  readonly allowReboot: boolean;
  /** Below NVIDIA's repositories, such as `debian13/x86_64`. */
  readonly path: string;
}

type Gpu = NonNullable<DriverMachine["gpus"]>[number];

/** By its driver's word, or before there is a driver by its PCI id. */
const capabilityOf = ({ computeCapability, pciId }: Gpu): string | undefined =>
  computeCapability ?? (pciId === undefined ? undefined : generationOf(pciId)?.computeCapability);

/** Oldest compute capability that a branch of today drives; Kepler's last was 470. */
const oldest = 5;

const branchText = ({ firstBranch, lastBranch }: ModuleChoice) =>
  lastBranch < 9999 ? `up to ${lastBranch}` : `from ${firstBranch} on`;

function branchProblem({ branch }: ManagedWish, choice: ModuleChoice): string | undefined {
  if (branch >= choice.firstBranch && branch <= choice.lastBranch) return undefined;
  return `its GPUs work with branches ${branchText(choice)}, and ${branch} is asked for`;
}

function modulesProblem(
  { modules }: ManagedWish,
  { flavours }: ModuleChoice,
  gpus: string,
): string | undefined {
  if (flavours.length === 0)
    return `its GPUs (${gpus}) exclude each other: the older needs the proprietary modules, the newer the open ones`;
  if (modules === "auto" || flavours.includes(modules)) return undefined;
  return `its GPUs (${gpus}) need the ${flavours[0]} modules; write \`modules: auto\``;
}

/** What is to be installed, or why nothing can be, in the operator's words. */
export function managedDriver(
  wish: ManagedWish,
  { gpus, release, architecture }: DriverMachine,
): ManagedDriver | { readonly problem: string } {
  if (gpus === undefined)
    return {
      problem: "nothing is recorded of its GPUs, which decide the modules; run `npm run host refresh`",
    };
  const path = repositoryPath({ release, architecture });
  if (path === undefined)
    return {
      problem: `NVIDIA has no repository for ${release ?? "a system of which no release is recorded"} on ${architecture ?? "x86_64"}; it has them for Ubuntu 22.04, 24.04 and 26.04, and Debian 12 and 13`,
    };
  const capabilities = gpus.map(capabilityOf);
  const unknown = gpus.filter((_, i) => capabilities[i] === undefined).map(({ model }) => model);
  if (unknown.length > 0 && wish.modules === "auto")
    return {
      problem: `the generation of ${unknown.join(", ")} is not known here; name the modules: open or proprietary`,
    };
  const known = capabilities.filter((found) => found !== undefined);
  const names = gpus.map(({ model }) => model).join(", ");
  if (known.some((found) => Number(found) < oldest))
    return {
      problem: `its GPUs (${names}) are older than every branch that CUDA 12 runs on; the last for them was 470`,
    };
  const choice = chooseModules(known);
  const problem = modulesProblem(wish, choice, names) ?? branchProblem(wish, choice);
  if (problem !== undefined) return { problem };
  const modules = wish.modules === "auto" ? (choice.flavours[0] ?? "open") : wish.modules;
  return { branch: wish.branch, modules, allowReboot: wish.allowReboot, path };
}

/** What is wished, or what follows from the record: a driver that is there is watched. */
export const wishOf = ({ nvidia, driver, gpus }: DriverMachine): NvidiaWish | undefined =>
  nvidia ??
  (driver !== undefined && gpus !== undefined && gpus.length > 0
    ? { driver: "present", minimum: 525, allowReboot: false }
    : undefined);

/** Key of NVIDIA's repositories; its fingerprint is the one in NVIDIA's installation guide. */
const keyCommand =
  "curl -fsS https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/3bf863cc.pub";

/**
 * What is wrong with the wish for one machine, by key of its `nvidia`; none: it can be tried.
 * @param hasKey the stack has the key of NVIDIA's repository
 */
export function driverProblems(
  machine: DriverMachine & { readonly base: boolean },
  hasKey: boolean,
): readonly { readonly path: readonly string[]; readonly text: string }[] {
  const { nvidia, gpus, base } = machine;
  if (nvidia === undefined) return [];
  if (!base) return [{ path: [], text: "has `base: false`; write this in the stack that has its base" }];
  if (gpus?.length === 0)
    return [{ path: [], text: "is for a machine with an NVIDIA GPU, and `gpus` records none" }];
  if (nvidia.driver === "present") return [];
  const found = managedDriver(nvidia, machine);
  const key = hasKey
    ? []
    : [
        {
          path: ["driver"],
          text: `managed needs base.nvidiaKey, the key that signs NVIDIA's repository: \`${keyCommand}\`, compared by its fingerprint`,
        },
      ];
  return "problem" in found ? [...key, { path: [], text: found.problem }] : key;
}
