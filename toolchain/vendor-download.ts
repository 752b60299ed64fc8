import { readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { runChild } from "./child.ts";
import type { Progress } from "./progress.ts";

/** The archive is about 150 MB; behind a slow line that takes its time, without any it fails within seconds. */
const LIMIT_SECONDS = 900;

/** Lets the npm launcher download the vendor's archive, into a home of its own inside `folder`, and takes what it brought. */
export async function downloadFromVendor(
  folder: string,
  progress: Progress,
  launcher = createRequire(import.meta.url).resolve("pulumi/run.js"),
): Promise<void> {
  const home = join(folder, "home");
  const { PULUMI_VERSION: _, ...environment } = process.env;
  progress.now("downloading the Pulumi CLI from its vendor");
  try {
    await runChild(process.execPath, [launcher, "version"], {
      // Node's fetch heeds HTTPS_PROXY only when told to; the vendor's script uses curl, which always does.
      env: { ...environment, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true", NODE_USE_ENV_PROXY: "1" },
      timeoutSeconds: LIMIT_SECONDS,
      onLine: (line) => progress.now(`downloading the Pulumi CLI from its vendor: ${line}`),
    });
  } catch (error) {
    const last = (error as Error).message.split("\n").at(-1);
    throw new Error(`The vendor's download did not work: ${last}`, { cause: error });
  }
  for (const version of readdirSync(join(home, "versions"))) {
    const bin = join(home, "versions", version, "bin");
    for (const name of readdirSync(bin)) renameSync(join(bin, name), join(folder, name));
  }
  rmSync(home, { recursive: true, force: true });
}
