import { accessSync, constants, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { buildWithGo } from "./go-build.ts";
import { withLock } from "./lock.ts";
import { type Progress, showProgress } from "./progress.ts";
import {
  type Archive,
  installArchive,
  type RecordedHashes,
  recordedHashes,
  recordHash,
  vendorArchive,
} from "./vendor-archive.ts";

const launcher = createRequire(import.meta.url)("pulumi/package.json") as { version: string };

/** Version of the Pulumi CLI: that of the `pulumi` package, whose launcher looks in one folder a version. */
export const pulumiVersion = launcher.version;

/** One way to come by the programs: fills the folder, which exists, with them or rejects. */
export type Way = (folder: string, progress: Progress) => Promise<void>;

interface EnsureOptions {
  /** Pulumi's home. @default $PULUMI_HOME or ~/.pulumi, as the launcher has it */
  readonly home?: string;
  /**
   * Tried in this order. @default the vendor's archive if its hash is recorded, then a build from Go modules
   */
  readonly ways?: readonly Way[];
  readonly progress?: Progress;
}

const suffix = process.platform === "win32" ? ".exe" : "";
/** The launcher takes the folder for complete when `pulumi` is there, so that one is put in place last. */
const programs = [`pulumi-language-nodejs${suffix}`, `pulumi${suffix}`];

/** The folder in which the launcher looks for the CLI and the Node language host. */
export function pulumiFolder(home = process.env.PULUMI_HOME || join(homedir(), ".pulumi")): string {
  return join(home, "versions", pulumiVersion, "bin");
}

/**
 * Makes the Pulumi CLI usable through its npm launcher (`npx pulumi`). Done at once when both programs are in
 * place; rejects, naming what to install by hand, when no way leads there.
 */
export async function ensurePulumi(options: EnsureOptions = {}): Promise<void> {
  const folder = pulumiFolder(options.home);
  if (isComplete(folder)) return;
  const progress = options.progress ?? showProgress();
  const ways = options.ways ?? pinnedWays();
  try {
    const waiting = () => progress.now("another process is installing the Pulumi CLI, waiting for it");
    await withLock(`${folder}.lock`, waiting, () => install(folder, ways, progress));
  } finally {
    progress.end();
  }
}

/**
 * What installs only what is pinned: an archive by the hash recorded here, the Go modules by their go.sum.
 */
export function pinnedWays(recorded: RecordedHashes = recordedHashes()): readonly Way[] {
  const archive = vendorArchive(pulumiVersion);
  const sha256 = recorded[archive.name];
  return sha256 === undefined ? [buildWithGo] : [downloadPinned(archive, sha256), buildWithGo];
}

/** The vendor's archive, if it has this hash. */
export function downloadPinned(archive: Archive, sha256: string): Way {
  const accept = (found: string) => {
    if (found === sha256) return;
    throw new Error(
      `${archive.url} is not the file that toolchain/pulumi-archives.json records, and was not unpacked:\n` +
        `  its SHA-256 is ${found}, recorded is ${sha256}.\n` +
        `  Somebody changed it on the way or at the vendor. \`npm run toolchain -- --pin\` would trust it from now on.`,
    );
  };
  return (folder, progress) => installArchive(archive, accept, folder, progress);
}

/**
 * The vendor's archive as it comes. Its hash is recorded, and told, for nothing vouches for this first one.
 */
export function downloadAndPin(archive = vendorArchive(pulumiVersion), file?: string): Way {
  const record = (progress: Progress) => (sha256: string) => {
    recordHash(archive, sha256, file);
    progress.say(
      `${archive.name} has the SHA-256 ${sha256}.\n` +
        `It is trusted because it came first: compare it with the one the vendor names beside the release\n` +
        `(https://github.com/pulumi/pulumi/releases/tag/v${pulumiVersion}). It is recorded in toolchain/pulumi-archives.json,\n` +
        "and each later download is compared with it, also on other machines once that file is committed.",
    );
  };
  return (folder, progress) => installArchive(archive, record(progress), folder, progress);
}

async function install(folder: string, ways: readonly Way[], progress: Progress): Promise<void> {
  if (isComplete(folder)) return;
  progress.say(`Pulumi CLI ${pulumiVersion} is not in ${folder}: installing it once.`);
  const failures: string[] = [];
  for (const way of ways) {
    // In the same file system, so that a rename puts each program in place whole or not at all.
    const staging = `${folder}.${process.pid}`;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    try {
      await way(staging, progress);
      if (!isComplete(staging)) throw new Error(`it brought no ${programs.join(" and ")}`);
      mkdirSync(folder, { recursive: true });
      const extras = readdirSync(staging).filter((name) => !programs.includes(name));
      for (const name of [...extras, ...programs]) renameSync(join(staging, name), join(folder, name));
      progress.say(`Pulumi CLI ${pulumiVersion} is ready.`);
      return;
    } catch (error) {
      failures.push((error as Error).message);
      progress.say((error as Error).message);
    } finally {
      rmSync(staging, { recursive: true, force: true });
    }
  }
  throw new Error(
    `The Pulumi CLI ${pulumiVersion} could not be had (reasons above).\n` +
      `From its vendor: \`npm run toolchain -- --pin\` downloads it, trusts what comes this once and records its hash.\n` +
      `By hand: unpack https://get.pulumi.com/releases/sdk/pulumi-v${pulumiVersion}-<system>.tar.gz on a machine that reaches it\n` +
      `and copy the files of its pulumi/ folder to ${folder}; or install Go 1.25 or newer and run this again.`,
    { cause: failures },
  );
}

function isComplete(folder: string): boolean {
  return programs.every((name) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return statSync(join(folder, name)).size > 0;
    } catch {
      return false;
    }
  });
}
