import { readFile } from "node:fs/promises";
import { local } from "./local.ts";

/** Mount points at or below a folder, deepest first. */
async function mountsUnder(folder: string): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const points = mounts.split("\n").map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "));
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}

/**
 * Deletes a tree that was the root of a host. Whatever is still mounted below it is unmounted first: deleting
 * through a mounted /dev would take this machine's own device nodes along.
 */
export async function removeTree(folder: string): Promise<void> {
  for (const point of await mountsUnder(folder)) await local("umount", [point]);
  const left = await mountsUnder(folder);
  if (left.length > 0) throw new Error(`${folder} is not deleted: ${left.join(", ")} is still mounted in it`);
  await local("rm", ["-rf", "--one-file-system", folder], { timeoutSeconds: 600 });
}
