import { aptFree } from "#facts/apt.ts";
import { aptReady, install, refreshLists, removeUnneeded, whyNot } from "#provider/contract/apt.ts";
import { defineResource, findingAt, type Observation } from "#provider/contract/resource.ts";
import { again, reboot, run, type Step } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import { inputs, isManaged, type Managed, type Want } from "./inputs.ts";
import { fabricManager, itemName, observeDriver, persistence } from "./observe.ts";
import { refusalOf } from "./refusals.ts";
import type { NvidiaStatus } from "./status.ts";

type Seen = Observation<Want, NvidiaStatus>;

/** Ends the work on this machine with a sentence: what comes next is for a person to do. */
const stop = (title: string, why: string, hint: string): Step =>
  run(sh`printf '%s\\n' ${why} >&2; exit 1`, { title, hint });

function* installPackages({ status }: Seen, { repository, branch }: Managed): Generator<Step> {
  const { missing = [], unknown = [] } = status ?? {};
  if (unknown.length > 0)
    return yield stop(
      "look for the driver's packages",
      `${repository} has nothing of branch ${branch} for: ${unknown.join(", ")}`,
      "choose another branch in the host's `nvidia`; on the machine: apt-cache policy 'nvidia-*'",
    );
  const wanted = Object.fromEntries(missing.map((name) => [name, "any"]));
  yield* aptReady;
  yield run(refreshLists(wanted), {
    title: "refresh package lists, fetch the driver's packages",
    turn: "apt",
    timeoutSeconds: 7200,
  });
  yield run(install(wanted), {
    title: `apt-get install ${missing.join(" ")}`,
    turn: "apt",
    timeoutSeconds: 7200,
    explain: whyNot(wanted),
    hint: "correct the host's `nvidia`, or the machine's package sources; then run `up` again",
  });
  // The pin decides which packages come next, and those decide whether a restart does.
  yield again("what the repository has for this branch now, and what is loaded");
}

function* restart(have: Seen, { allowReboot }: Want): Generator<Step> {
  const why = findingAt(have, "restart")?.text ?? "the driver that is installed is not the one that runs";
  if (allowReboot) yield reboot(why);
  else
    yield stop(
      "stop: the machine needs a restart",
      why,
      "restart it by hand and run `up` again, which goes on from here; or set nvidia.allowReboot: true in the host's entry",
    );
}

const startUnit = (unit: string) =>
  run(sh`systemctl enable --now ${unit}`, {
    title: `start ${unit}`,
    explain: sh`journalctl -u ${unit} -n 10 --no-pager -o cat`,
  });

function* applyManaged(have: Seen, want: Managed): Generator<Step> {
  const refusal = have.status && refusalOf(have.status);
  if (refusal) throw new Error(refusal);
  if (findingAt(have, "packages")) return yield* installPackages(have, want);
  const units = [
    ...(findingAt(have, "persistence") ? [persistence] : []),
    ...(findingAt(have, "fabric") ? [fabricManager] : []),
  ];
  if (findingAt(have, "restart")) {
    // They need the module, and come with it.
    if (units.length > 0) yield run(sh`systemctl enable ${units}`);
    yield* restart(have, want);
    return;
  }
  if (findingAt(have, "answer"))
    yield stop(
      "ask the driver",
      findingAt(have, "answer")?.text ?? "",
      "look at `journalctl -k` for NVRM and Xid on the machine; then run `up` again",
    );
  yield* units.map(startUnit);
}

function* applyPresent(have: Seen, want: Want): Generator<Step> {
  const [old, silent] = [findingAt(have, "minimum"), findingAt(have, "answer")];
  if (findingAt(have, "restart")) yield* restart(have, want);
  if (old)
    yield stop(
      "require a driver that is new enough",
      old.text,
      "update the driver on the machine, or have gpu-hosts install one: nvidia.driver: managed in the host's entry",
    );
  if (silent)
    yield stop(
      "ask the driver",
      silent.text,
      "see to the driver on the machine, or have gpu-hosts install one: nvidia.driver: managed in the host's entry",
    );
}

/**
 * The NVIDIA driver of a machine.
 *
 * `present`: installs nothing and claims nothing; requires a branch, and that the module in the kernel is the
 * one on disk. `managed`: packages of NVIDIA's repository, held at one branch. Refused before anything is
 * touched: a driver of another source, Secure Boot without an enrolled key, WSL, a machine without a card.
 * Removal takes the packages that came with it and leaves the kernel's headers; the loaded module stays until
 * a restart.
 */
export const nvidiaDriver = defineResource<typeof inputs, NvidiaStatus>({
  type: "NvidiaDriver",
  version: 1,
  inputs,
  // Packages of two branches or flavours exclude each other by name, so the old ones go first.
  identity: ["driver", "branch", "modules"],
  id: ({ driver }) => `nvidia-driver:${driver}`,

  items: ({ driver }) => (driver === "managed" ? [{ name: itemName, path: [] }] : []),

  observe: observeDriver,

  *apply(want, have = { config: {} }) {
    if (isManaged(want)) yield* applyManaged(have, want);
    else yield* applyPresent(have, want);
  },

  *remove(have, { before }) {
    // A driver that was there before us is left as it is; so is one that we only watched.
    if (have.config.driver !== "managed" || before(itemName) !== undefined) return;
    const names = Object.keys(have.status?.packages ?? {}).filter(
      (name) => !name.startsWith("linux-headers-"),
    );
    if (names.length === 0) return;
    yield* aptReady;
    yield run(removeUnneeded(names), {
      title: `apt-get remove ${names.join(" ")}`,
      turn: "apt",
      timeoutSeconds: 1800,
      explain: aptFree,
    });
  },
});
