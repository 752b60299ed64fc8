import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir } from "./base.ts";
import { killGroup, removeGroup } from "./cgroup.ts";
import { type Lock, local, lock, tryLocal } from "./local.ts";
import { removeTree } from "./remove-tree.ts";

// Emptied by a reboot of this machine, exactly as the labs are.
const runDir = "/run/gpu-hosts-lab";
const slots = Array.from({ length: 100 }, (_, i) => i + 1);

/**
 * What one lab may call its own on this machine; every name derives from the number, so two labs never meet.
 */
export interface Slot {
  readonly number: number;
  /**
   * Network namespace of the switch, link of this machine to it, source name of the mounts; at most 15
   * characters.
   */
  readonly name: string;
  /** This machine's address on the lab's network. */
  readonly gateway: string;
  /** Folder under each cgroup hierarchy. */
  readonly group: string;
}

/** Port of the apt cache on the gateway. */
export const aptPort = 3142;

interface Claim {
  readonly dir: string;
  /** The lab outlives the process that started it. */
  readonly persistent: boolean;
}

const claimFile = (number: number) => join(runDir, `${number}.json`);
const lockFile = (number: number) => join(runDir, `${number}.lock`);

/** All names that derive from a slot's number. */
export function slotOf(number: number): Slot {
  const name = `ghl${number}`;
  return { number, name, gateway: `10.97.${number}.1`, group: `gpu-hosts-lab/${number}` };
}

/** Address of the n-th host (from 0) of a lab. */
export const addressOf = (slot: Slot, index: number) => `10.97.${slot.number}.${11 + index}`;

async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const held = await lock(join(runDir, "lock"), true);
  try {
    return await work();
  } finally {
    held?.release();
  }
}

/** Who holds a slot; undefined if it is free. */
async function claimOf(number: number): Promise<Claim | undefined> {
  if (!existsSync(claimFile(number))) return undefined;
  return JSON.parse(await readFile(claimFile(number), "utf8"));
}

/** Number of the slot whose lab lives in a folder, if that lab runs. */
export async function slotIn(dir: string): Promise<number | undefined> {
  for (const number of await claimed()) if ((await claimOf(number))?.dir === dir) return number;
  return undefined;
}

async function claimed(): Promise<number[]> {
  const names = await readdir(runDir).catch(() => []);
  return names.filter((name) => name.endsWith(".json")).map((name) => Number.parseInt(name, 10));
}

/**
 * Takes a free slot, after removing what dead labs left. The lock is the sign of life of the owner: the
 * kernel drops it when the process ends, however it ends.
 * @param folder the lab's own; default one under the cache folder
 */
export async function claimSlot(
  persistent: boolean,
  folder?: string,
): Promise<{ slot: Slot; dir: string; owner: Lock }> {
  return await exclusively(async () => {
    await removeDeadLabs();
    for (const number of slots) {
      if (existsSync(claimFile(number)) || (await routed(number))) continue;
      const owner = await lock(lockFile(number), false);
      if (!owner) continue;
      const dir = folder ?? join(cacheDir, "running", String(number));
      await writeFile(claimFile(number), JSON.stringify({ dir, persistent } satisfies Claim));
      return { slot: slotOf(number), dir, owner };
    }
    throw new Error("no free lab network: each of 10.97.1.0/24 to 10.97.100.0/24 is in use on this machine");
  });
}

async function routed(number: number): Promise<boolean> {
  return (await local("ip", ["-4", "route", "show", "root", `10.97.${number}.0/24`])).trim() !== "";
}

/** Removes labs whose owner is gone and which were not meant to outlive it. */
export async function sweep(): Promise<void> {
  await exclusively(removeDeadLabs);
}

async function removeDeadLabs() {
  for (const number of await claimed()) {
    const claim = await claimOf(number);
    if (!claim || (claim.persistent && existsSync(claim.dir))) continue;
    const owner = await lock(lockFile(number), false);
    if (!owner) continue;
    await tearDown(slotOf(number), claim);
    owner.release();
  }
}

/** Removes the lab of a folder and gives its slot back. Does nothing if the slot is another lab's by now. */
export async function releaseSlot(slot: Slot, dir: string): Promise<void> {
  await exclusively(async () => {
    const claim = await claimOf(slot.number);
    if (claim?.dir === dir) await tearDown(slot, claim);
  });
}

/**
 * Finds everything by the slot's names alone, so that it also clears a lab that died half-way through its
 * start.
 */
async function tearDown(slot: Slot, claim: Claim) {
  await killGroup(slot.group);
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").map((line) => line.split(" "));
  for (const [source, target] of mounts) {
    if (source !== slot.name || !target) continue;
    // systemd-nspawn removes its lock on a root itself, unless it was killed.
    const { dev, ino } = await stat(target);
    await local("umount", [target]);
    await rm(`/run/systemd/nspawn/locks/inode-${dev}:${ino}`, { force: true });
  }
  const spaces = (await readdir("/run/netns").catch(() => [])).filter(
    (name) => name.split("-")[0] === slot.name,
  );
  for (const space of spaces) await local("ip", ["netns", "delete", space]);
  // The kernel takes the link away with its peer's namespace, but some time later.
  await tryLocal("ip", ["link", "delete", slot.name]);
  await removeGroup(slot.group);
  for (const machine of spaces)
    await rm(join("/run/systemd/nspawn/propagate", machine), { recursive: true, force: true });
  await removeTree(claim.dir);
  await rm(claimFile(slot.number));
  await rm(lockFile(slot.number), { force: true });
}
