import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { runChild } from "./child.ts";
import type { Progress } from "./progress.ts";

/**
 * The archive is about 150 MB; behind a slow line that takes its time, without any it fails within seconds.
 */
const limitMilliseconds = 900_000;

/** Belongs into version control, so that every machine of a team compares with the same. */
const recordFile = join(import.meta.dirname, "pulumi-archives.json");

/** An archive of the vendor. */
export interface Archive {
  /** Such as `pulumi-v3.250.0-linux-x64.tar.gz`. */
  readonly name: string;
  readonly url: string;
}

/** The vendor's archive of the CLI for this system. */
export function vendorArchive(version: string): Archive {
  const windows = process.platform === "win32";
  const system = `${windows ? "windows" : process.platform}-${process.arch}`;
  const name = `pulumi-v${version}-${system}.${windows ? "zip" : "tar.gz"}`;
  return { name, url: `https://get.pulumi.com/releases/sdk/${name}` };
}

/** SHA-256 by name of the archive. */
export type RecordedHashes = Readonly<Record<string, string>>;

/**
 * What somebody recorded; nothing is shipped, since the project vouches for no file that it could not fetch.
 */
export function recordedHashes(file = recordFile): RecordedHashes {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Records the SHA-256 of an archive, which is all that later downloads are compared with. */
export function recordHash({ name }: Archive, sha256: string, file = recordFile): void {
  const known = recordedHashes(file);
  writeFileSync(file, `${JSON.stringify({ ...known, [name]: sha256 }, undefined, 2)}\n`);
}

/**
 * Downloads an archive and takes the programs it holds into `folder`, which exists. Nothing of it is unpacked
 * before `accept` has seen its SHA-256; that one throws if it is another than wanted.
 */
export async function installArchive(
  { name, url }: Archive,
  accept: (sha256: string) => void,
  folder: string,
  progress: Progress,
): Promise<void> {
  const work = join(folder, "archive");
  mkdirSync(work);
  try {
    const file = join(work, name);
    accept(await download(url, file, (text) => progress.now(`downloading ${name}: ${text}`)));
    progress.now(`unpacking ${name}`);
    const unpacked = join(work, "unpacked");
    mkdirSync(unpacked);
    await runChild("tar", ["-xf", file, "-C", unpacked, "--no-same-owner"], { timeoutSeconds: 600 });
    for (const entry of readdirSync(unpacked, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) renameSync(join(entry.parentPath, entry.name), join(folder, entry.name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Resolves with the SHA-256 of what came. */
async function download(url: string, file: string, tell: (text: string) => void): Promise<string> {
  http.setGlobalProxyFromEnv?.();
  const hash = createHash("sha256");
  const out = createWriteStream(file, { flags: "wx" });
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limitMilliseconds) });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    let bytes = 0;
    for await (const chunk of response.body) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      tell(`${Math.round(bytes / 1e6)} MB`);
      if (!out.write(chunk)) await once(out, "drain");
    }
    return hash.digest("hex");
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    throw new Error(`${url} could not be downloaded: ${why}`, { cause: error });
  } finally {
    await new Promise((resolve) => out.end(resolve));
  }
}
