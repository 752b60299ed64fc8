import { loadedModules } from "#facts/kernel-modules.ts";
import { nvidiaCards, nvidiaSwitches } from "#facts/lspci.ts";
import { nvidiaInstalled } from "#facts/nvidia-installed.ts";
import { nvidiaPackages } from "#facts/nvidia-packages.ts";
import { gpus } from "#facts/nvidia-smi.ts";
import { secureBoot } from "#facts/secure-boot.ts";
import { showUnit } from "#facts/systemd.ts";
import { findingsOf, type Observation } from "#provider/contract/resource.ts";
import type { Host } from "#transport/host.ts";
import { isManaged, type Managed, type Want } from "./inputs.ts";
import {
  branchOf,
  candidateNames,
  driverParts,
  headersPackage,
  installedOf,
  missingParts,
  type Packages,
  pinningPackage,
} from "./packages.ts";
import { foreignDriver, secureBootProblem } from "./refusals.ts";
import type { NvidiaStatus } from "./status.ts";

/** Units that a driver is not complete without. */
export const persistence = "nvidia-persistenced.service";
export const fabricManager = "nvidia-fabricmanager.service";

/** The running kernel and the disk disagree, which programs are told as an NVML version mismatch. */
function restartReason(
  loaded: string | undefined,
  installed: string | undefined,
  nouveau: boolean,
): string | undefined {
  if (installed === undefined) return undefined;
  if (nouveau) return `nouveau drives the card, and driver ${installed} is loaded at the next start`;
  if (loaded === undefined) return `driver ${installed} is installed, and its module is not loaded`;
  if (loaded === installed) return undefined;
  return `module ${loaded} is loaded and ${installed} is installed: programs fail with "Driver/library version mismatch" until the machine is restarted`;
}

async function lookAtMachine(host: Host) {
  const [modules, files, cards, reading] = await Promise.all([
    host.ask(loadedModules(["nvidia", "nouveau"])),
    host.ask(nvidiaInstalled),
    host.ask(nvidiaCards),
    host.ask(gpus),
  ]);
  const loaded = modules.get("nvidia");
  return {
    ...files,
    loaded,
    cards: cards.map(({ model }) => model),
    restart: files.wsl ? undefined : restartReason(loaded, files.library, modules.has("nouveau")),
    silent: reading.state === "failed" ? reading.reason : undefined,
    // In WSL the module is Windows' business, and only nvidia-smi tells the version.
    version: files.wsl && reading.state === "ok" ? reading.gpus[0]?.driver : files.library,
  };
}

type Machine = Awaited<ReturnType<typeof lookAtMachine>>;

const untouched = { packages: {}, foreign: null, secureBoot: null, missing: [], unknown: [] };

const statusOf = ({ loaded, version, cards, wsl, restart }: Machine) => ({
  loaded: loaded ?? null,
  installed: version ?? null,
  cards,
  wsl,
  needsRestart: restart !== undefined,
});

function observePresent(want: Want, machine: Machine): Observation<Want, NvidiaStatus> {
  const { version, restart, silent } = machine;
  const old =
    version !== undefined && branchOf(version) < want.minimum
      ? `driver ${version} is older than branch ${want.minimum}`
      : undefined;
  return {
    config: want,
    findings: findingsOf({
      restart,
      minimum: old,
      answer: restart === undefined ? silent : undefined,
    }),
    status: { ...untouched, ...statusOf(machine) },
  };
}

/** Flavour of the modules that the machine has in this branch. */
const flavourOf = ({ branch }: Managed, packages: Packages): Managed["modules"] | undefined =>
  (["open", "proprietary"] as const).find((modules) =>
    driverParts({ branch, modules }, false)
      .slice(0, 1)
      .some((part) => installedOf(part, branch, packages) !== undefined),
  );

const ourPackages = (want: Managed, kernel: string, packages: Packages) =>
  Object.fromEntries(
    candidateNames(want, kernel).flatMap((name): [string, string][] => {
      const version = packages.get(name)?.installed;
      return version === undefined ? [] : [[name, version]];
    }),
  );

async function observeManaged(
  host: Host,
  want: Managed,
  machine: Machine,
): Promise<Observation<Want, NvidiaStatus> | undefined> {
  const [packages, boot, switches, daemon, fabric] = await Promise.all([
    host.ask(nvidiaPackages(candidateNames(want, machine.kernel), want.repository)),
    host.ask(secureBoot),
    host.ask(nvidiaSwitches),
    host.ask(showUnit(persistence)),
    host.ask(showUnit(fabricManager)),
  ]);
  const flavour = flavourOf(want, packages);
  const missing = missingParts(driverParts(want, switches > 0), want.branch, packages);
  const absent = [pinningPackage(want.branch), headersPackage(machine.kernel)].filter(
    (name) => packages.get(name)?.installed === undefined,
  );
  const lacks = [...absent, ...missing.what];
  const foreign = foreignDriver(machine.runfile, packages);
  const down = (load: string, active: string) => load === "loaded" && active !== "active";
  const status: NvidiaStatus = {
    ...statusOf(machine),
    packages: ourPackages(want, machine.kernel, packages),
    foreign: foreign ?? null,
    secureBoot: secureBootProblem(boot) ?? null,
    missing: absent.length > 0 ? absent : missing.names,
    // What the repository has of the branch is known once its pin is there.
    unknown: absent.length > 0 ? [] : missing.unknown,
    // A driver is about to be installed, or one waits to be loaded.
    needsRestart: machine.restart !== undefined || lacks.length > 0,
  };
  const complete = lacks.length === 0;
  return {
    config: { ...want, modules: flavour ?? want.modules },
    // Of a machine without any of it nothing is to be kept.
    ...(flavour === undefined ? { originals: { [itemName]: null } } : {}),
    findings: findingsOf({
      foreign,
      packages: complete ? undefined : `missing: ${lacks.join(", ")}`,
      restart: machine.restart,
      answer: complete && machine.restart === undefined ? machine.silent : undefined,
      persistence: down(daemon.load, daemon.active) ? `${persistence} is ${daemon.active}` : undefined,
      fabric:
        switches > 0 && down(fabric.load, fabric.active)
          ? `${fabricManager} is ${fabric.active}: CUDA programs cannot start`
          : undefined,
    }),
    status,
  };
}

export const itemName = "nvidia driver";

export async function observeDriver(
  host: Host,
  want: Want,
): Promise<Observation<Want, NvidiaStatus> | undefined> {
  const machine = await lookAtMachine(host);
  return isManaged(want) ? await observeManaged(host, want, machine) : observePresent(want, machine);
}
