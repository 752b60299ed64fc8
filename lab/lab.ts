import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { baseImage, cacheDir, type Release } from "./base.ts";
import { createHost, type HostFacts, LabHost } from "./host.ts";
import { type Lock, local } from "./local.ts";
import { createSwitch } from "./network.ts";
import { removeTree } from "./remove-tree.ts";
import { obstacleToLab } from "./requirements.ts";
import { serve } from "./serve.ts";
import { addressOf, aptPort, claimSlot, releaseSlot, type Slot, slotIn, slotOf } from "./slot.ts";

/** What a lab consists of. */
export interface LabOptions {
  readonly hosts: readonly { readonly name: string; readonly release: Release }[];
  /**
   * Folder of the lab's own, for disks, keys and logs; removed by stop. @default one under the cache folder
   */
  readonly dir?: string;
  /**
   * Goes on after this process ends, until somebody stops it. Needs `dir`. @default false: ends with this
   * process
   */
  readonly persistent?: boolean;
  /** Called with one line a stage. */
  readonly progress?: (line: string) => void;
}

/** Throw-away Linux hosts on a network of their own. */
export interface Lab {
  readonly dir: string;
  readonly hosts: readonly LabHost[];
  /** Address of this machine on the lab's network; servers for the hosts bind to it. */
  readonly gateway: string;
  /** The host of that name. */
  host(name: string): LabHost;
  /**
   * Runs a Node script of this folder as a server for the hosts and waits until it listens. It ends with the
   * lab.
   * @param port on {@link gateway}; the script gets address and port as its first arguments
   */
  serve(name: string, script: string, port: number, args?: readonly string[]): Promise<void>;
  /** Removes every trace of the lab, its folder included. */
  stop(): Promise<void>;
}

const stateFile = (dir: string) => join(dir, "lab.json");

/**
 * Brings up a lab: about 2 s when the base images exist. First removes what dead labs left. Several labs can
 * run at once. If it fails, or this process dies, nothing stays behind that the next start does not remove.
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const obstacle = await obstacleToLab();
  if (obstacle) throw new Error(obstacle);
  const { progress = () => undefined, persistent = false } = options;
  if (persistent && !options.dir)
    throw new Error("a lab that outlives its process needs a folder to be found by");
  const releases = [...new Set(options.hosts.map(({ release }) => release))];
  const images = new Map(
    await Promise.all(releases.map(async (name) => [name, await baseImage(name, progress)] as const)),
  );

  const wanted = options.dir === undefined ? undefined : resolve(options.dir);
  if (wanted) await stopLab(wanted);
  const { slot, dir, owner } = await claimSlot(persistent, wanted);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    progress(`lab network ${slot.gateway}/24`);
    await createSwitch(slot);
    await local("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", join(dir, "id")]);
    const neighbours = options.hosts.map(({ name }, index) => `${addressOf(slot, index)} ${name}`);
    const facts: HostFacts[] = [];
    for (const [index, { name, release }] of options.hosts.entries()) {
      const image = images.get(release) ?? "";
      facts.push(await createHost(slot, dir, index, { name, release, image, neighbours }));
    }
    await writeFile(stateFile(dir), JSON.stringify(facts, undefined, 2));
    const lab = labOf(slot, dir, facts, owner);
    await lab.serve("apt-cache", "apt-cache-main.ts", aptPort, [join(cacheDir, "apt")]);
    await Promise.all(lab.hosts.map((host) => host.powerOn()));
    await demandWayBack(lab);
    progress(`hosts up: ${lab.hosts.map(({ name, address }) => `${name} ${address}`).join(", ")}`);
    return lab;
  } catch (error) {
    await releaseSlot(slot, dir);
    owner.release();
    throw error;
  }
}

/** Hosts must reach the servers this machine runs for them; its own firewall may not let them. */
async function demandWayBack({ hosts: [host], gateway }: Lab) {
  const reached = await host?.tryExec(`timeout 5 bash -c '</dev/tcp/${gateway}/${aptPort}'`);
  if (reached === undefined || reached.exitCode === 0) return;
  throw new Error(
    `lab hosts do not reach this machine at ${gateway}:${aptPort}; if its firewall refuses them, let them in, ` +
      "such as with: ufw allow from 10.97.0.0/16 to 10.97.0.0/16",
  );
}

/** The running lab in a folder, whichever process started it; undefined if there is none. */
export async function attach(folder: string): Promise<Lab | undefined> {
  const dir = resolve(folder);
  const number = await slotIn(dir);
  if (number === undefined) return undefined;
  // A lab that died half-way through its start has no list of hosts, but can be stopped.
  const facts = existsSync(stateFile(dir)) ? JSON.parse(await readFile(stateFile(dir), "utf8")) : [];
  return labOf(slotOf(number), dir, facts);
}

/**
 * Removes the lab of a folder, whichever process started it, running or left when this machine was restarted;
 * content when there is none. Refuses a folder that holds other things.
 */
export async function stopLab(folder: string): Promise<void> {
  const dir = resolve(folder);
  const running = await slotIn(dir);
  if (running !== undefined) return await releaseSlot(slotOf(running), dir);
  const content = existsSync(dir) ? await readdir(dir) : [];
  if (content.includes("lab.json")) return await removeTree(dir);
  if (content.length > 0) throw new Error(`${dir} is not empty; a lab needs a folder of its own`);
}

function labOf(slot: Slot, dir: string, facts: readonly HostFacts[], owner?: Lock): Lab {
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await releaseSlot(slot, dir);
    owner?.release();
  };
  const hosts = facts.map((host, index) => new LabHost(slot, dir, index, host));
  return {
    dir,
    hosts,
    gateway: slot.gateway,
    host(name) {
      const found = hosts.find((host) => host.name === name);
      if (!found)
        throw new Error(`the lab has no host ${name}, only ${hosts.map((host) => host.name).join(", ")}`);
      return found;
    },
    serve: (name, script, port, args = []) => serve(slot, dir, { name, script, port, args }),
    stop() {
      // Once only: the slot may be another lab's by the second call.
      stopping ??= stop();
      return stopping;
    },
  };
}
