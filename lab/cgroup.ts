import { existsSync, mkdirSync } from "node:fs";
import { readdir, readFile, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Hierarchies in which a lab needs a group of its own: the one of cgroup v2, or on a hybrid machine the two
 * that systemd uses. Hosts that share a group do not stop cleanly, because each kills by group.
 */
const hierarchies = existsSync("/sys/fs/cgroup/cgroup.controllers")
  ? ["/sys/fs/cgroup"]
  : ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"].filter((path) => existsSync(path));

/** Makes a group with the two parts that supervise.sh fills, in each hierarchy, and returns its folders. */
export function createGroup(group: string): string[] {
  const folders = hierarchies.map((hierarchy) => join(hierarchy, group));
  for (const folder of folders) {
    for (const part of ["supervisor", "machine"]) mkdirSync(join(folder, part), { recursive: true });
  }
  return folders;
}

/** A folder and all below it, deepest first. */
async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => tree(join(folder, entry.name)));
  return [...(await Promise.all(below)).flat(), folder];
}

async function groups(group: string): Promise<string[]> {
  const roots = hierarchies.map((hierarchy) => join(hierarchy, group)).filter((path) => existsSync(path));
  return (await Promise.all(roots.map(tree))).flat();
}

/**
 * Processes in a group and below it. Ascending, so that the first process of a host comes before its
 * children.
 */
export async function processesIn(group: string): Promise<number[]> {
  const lists = await Promise.all(
    (await groups(group)).map((path) => readFile(join(path, "cgroup.procs"), "utf8").catch(() => "")),
  );
  const pids = lists.flatMap((list) => list.split("\n").filter(Boolean).map(Number));
  return [...new Set(pids)].filter((pid) => pid > 0).sort((a, b) => a - b);
}

/** Ends every process of a group as a loss of power would, and waits until none is left. */
export async function killGroup(group: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const pids = await processesIn(group);
    if (pids.length === 0) return;
    if (Date.now() > deadline) throw new Error(`processes of ${group} do not die: ${pids.join(" ")}`);
    for (const pid of pids) kill(pid);
    await sleep(20);
  }
}

function kill(pid: number) {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Removes the folders of a group whose processes are gone, and the parent if it was the last in it. */
export async function removeGroup(group: string): Promise<void> {
  for (const path of await groups(group)) await removeFolder(path);
  for (const hierarchy of hierarchies) await rmdir(join(hierarchy, dirname(group))).catch(() => undefined);
}

/** The kernel still counts a group as busy for a moment after its last process. */
async function removeFolder(path: string, attempts = 50) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rmdir(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || attempt === attempts) throw error;
    }
    await sleep(100);
  }
}
