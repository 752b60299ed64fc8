import type { Offer } from "#facts/nvidia-packages.ts";
import type { Managed } from "./inputs.ts";

/** One part of a driver, and under which names NVIDIA's repositories have it, preferred first. */
interface Part {
  readonly what: string;
  readonly names: readonly string[];
  /** Some packagings bring it within another part. */
  readonly optional?: true;
}

export type Packages = ReadonlyMap<string, Offer>;

/** Holds the branch: apt prefers its versions over newer ones. */
export const pinningPackage = (branch: number): string => `nvidia-driver-pinning-${branch}`;

/** What DKMS builds the modules against. */
export const headersPackage = (kernel: string): string => `linux-headers-${kernel}`;

/** Kernel modules as DKMS packages: Ubuntu's names up to 580, Debian's, Ubuntu's from 590 on. */
const moduleNames = (branch: number, modules: Managed["modules"]): readonly string[] =>
  modules === "open"
    ? [`nvidia-dkms-${branch}-open`, "nvidia-kernel-open-dkms", "nvidia-dkms-open"]
    : [`nvidia-dkms-${branch}`, "nvidia-kernel-dkms", "nvidia-dkms"];

/** The parts of a driver for computing, without a desktop. @param switches there are NVSwitches */
export function driverParts(
  { branch, modules }: Pick<Managed, "branch" | "modules">,
  switches: boolean,
): readonly Part[] {
  return [
    { what: "kernel modules", names: moduleNames(branch, modules) },
    { what: "libraries", names: [`libnvidia-compute-${branch}`, "nvidia-driver-cuda", "libnvidia-compute"] },
    { what: "nvidia-smi", names: [`nvidia-utils-${branch}`, "nvidia-utils", "nvidia-smi"], optional: true },
    {
      what: "persistence daemon",
      names: [`nvidia-compute-utils-${branch}`, "nvidia-persistenced"],
      optional: true,
    },
    ...(switches
      ? [{ what: "Fabric Manager", names: [`nvidia-fabricmanager-${branch}`, "nvidia-fabricmanager"] }]
      : []),
  ];
}

/** Every name that the packages of a managed driver may have here. */
export const candidateNames = ({ branch }: Managed, kernel: string): readonly string[] => [
  pinningPackage(branch),
  headersPackage(kernel),
  ...(["open", "proprietary"] as const).flatMap((modules) =>
    driverParts({ branch, modules }, true).flatMap(({ names }) => names),
  ),
];

/** Version without Debian's epoch and revision: `580.95.05`. */
const upstream = (version: string): string => version.replace(/^\d+:/, "").replace(/-[^-]*$/, "");

export const branchOf = (version: string): number => Number.parseInt(upstream(version), 10);

/** The package of a part that the machine has in this branch. */
export const installedOf = (part: Part, branch: number, packages: Packages): string | undefined =>
  part.names.find((name) => {
    const version = packages.get(name)?.installed;
    return version !== undefined && branchOf(version) === branch;
  });

/** The package of a part that apt would install in this branch, from NVIDIA's repository. */
const offeredOf = (part: Part, branch: number, packages: Packages): string | undefined =>
  part.names.find((name) => {
    const { candidate, fromRepository = [] } = packages.get(name) ?? {};
    return candidate !== undefined && branchOf(candidate) === branch && fromRepository.includes(candidate);
  });

/** What is to be installed of the parts that are missing; parts that the repository does not have are named. */
export function missingParts(
  parts: readonly Part[],
  branch: number,
  packages: Packages,
): {
  readonly names: readonly string[];
  readonly unknown: readonly string[];
  readonly what: readonly string[];
} {
  const missing = parts.filter((part) => installedOf(part, branch, packages) === undefined);
  const found = missing.map((part) => ({ part, name: offeredOf(part, branch, packages) }));
  const needed = found.filter(({ part, name }) => name !== undefined || !part.optional);
  return {
    names: needed.flatMap(({ name }) => name ?? []),
    unknown: needed.filter(({ name }) => name === undefined).map(({ part }) => part.what),
    what: needed.map(({ part }) => part.what),
  };
}

/** Packages that are drivers, or that belong to one driver only. */
const driverName =
  /^(cuda-drivers|nvidia-(driver|headless|dkms|kernel|open|utils|compute-utils|legacy|tesla)|libnvidia-(compute|ml)|linux-(modules|objects)-nvidia-)/;

/** Stacks of vendors that bring their own driver. */
const vendorName = /^(lambda-stack|system76-driver-nvidia|dgx-)/;

/** Installed packages of a driver that is not of the repository, by what they are of. */
export function foreignPackages(packages: Packages): {
  readonly drivers: readonly string[];
  readonly vendors: readonly string[];
} {
  const installed = [...packages].filter(([, { installed }]) => installed !== undefined);
  const names = (pattern: RegExp) => installed.filter(([name]) => pattern.test(name));
  return {
    drivers: names(driverName)
      .filter(([, { installed = "", fromRepository }]) => !fromRepository.includes(installed))
      .map(([name]) => name)
      .filter((name) => !name.startsWith("nvidia-driver-pinning-")),
    vendors: names(vendorName).map(([name]) => name),
  };
}
