import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelFacts } from "#models/facts.ts";

/** Which facts: of these files of a repository at a commit. */
export interface FactsKey {
  readonly repository: string;
  /** A full commit; facts of a branch would grow old. */
  readonly revision: string;
  readonly files: readonly string[];
}

// Raised when facts get a new shape or another meaning; older ones are then read anew.
const shape = 1;

/**
 * Facts that were read before.
 * @param folder the cache's; it need not exist
 * @returns `undefined`: never read, or by another version of this code
 */
export function cachedFacts(folder: string, key: FactsKey): ModelFacts | undefined {
  try {
    const stored = JSON.parse(readFileSync(pathOf(folder, key), "utf8")) as {
      shape: number;
      facts: ModelFacts;
    };
    return stored.shape === shape ? stored.facts : undefined;
  } catch {
    // Missing, cut short or of another making: it is only a cache.
    return undefined;
  }
}

/** Keeps facts; does nothing for a branch, which moves. */
export async function keepFacts(folder: string, key: FactsKey, facts: ModelFacts): Promise<void> {
  if (!isCommit(key.revision)) return;
  const path = pathOf(folder, key);
  await mkdir(folder, { recursive: true });
  const beside = `${path}.${process.pid}`;
  await writeFile(beside, JSON.stringify({ shape, key, facts }));
  await rename(beside, path);
}

/** Whether a revision names one state for ever. */
const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

function pathOf(folder: string, { repository, revision, files }: FactsKey): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([repository, revision, files]))
    .digest("hex");
  return join(folder, `${repository.replaceAll("/", "--")}-${hash.slice(0, 16)}.json`);
}
