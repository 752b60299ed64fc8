import { accessSync, constants, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { buildWithGo } from "./go-build.ts";
import { withLock } from "./lock.ts";
import { type Progress, showProgress } from "./progress.ts";
import { downloadFromVendor } from "./vendor-download.ts";

const launcher = createRequire(import.meta.url)("pulumi/package.json") as { version: string };

/** Version of the Pulumi CLI: that of the `pulumi` package, whose launcher looks in one folder a version. */
export const pulumiVersion = launcher.version;

/** One way to come by the programs: fills the folder, which exists, with them or rejects. */
export type Way = (folder: string, progress: Progress) => Promise<void>;

interface EnsureOptions {
  /** Pulumi's home. @default $PULUMI_HOME or ~/.pulumi, as the launcher has it */
  readonly home?: string;
  /** Tried in this order. @default the vendor's download, then a build from Go modules */
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
 * Makes the Pulumi CLI usable through its npm launcher (`npx pulumi`). Done at once when both programs are in place;
 * rejects, naming what to install by hand, when no way leads there.
 */
export async function ensurePulumi(options: EnsureOptions = {}): Promise<void> {
  const folder = pulumiFolder(options.home);
  if (isComplete(folder)) return;
  const progress = options.progress ?? showProgress();
  const ways = options.ways ?? [downloadFromVendor, buildWithGo];
  try {
    const waiting = () => progress.now("another process is installing the Pulumi CLI, waiting for it");
    await withLock(`${folder}.lock`, waiting, () => install(folder, ways, progress));
  } finally {
    progress.end();
  }
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
    `The Pulumi CLI ${pulumiVersion} could be had neither from its vendor nor built from Go modules (both reasons above).\n` +
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
