import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "#lab/base.ts";
import { stopLab } from "#lab/lab.ts";
import { removeTree } from "#lab/remove-tree.ts";
import { demoFolder } from "./pulumi/pulumi.ts";
import { main } from "./terminal/main.ts";
import { voice } from "./terminal/output.ts";

await main("demo:down", async ({ values: { "keep-images": keepImages } }) => {
  const packageList = join(demoFolder, "system-packages");
  const packages = existsSync(packageList) ? readFileSync(packageList, "utf8").trim().split("\n") : [];
  const say = voice();
  try {
    say.now("removing the demo's hosts and their network");
    await stopLab(join(demoFolder, "lab"));
    if (existsSync(demoFolder)) await removeTree(demoFolder);
    rmSync(demoFolder, { recursive: true, force: true });
    if (!keepImages && existsSync(cacheDir)) {
      say.now("removing the cached base images");
      await removeImages();
    }
  } finally {
    say.stop();
  }
  console.log("The demo is gone: hosts, network, model hub, stack file, state and passphrase.");
  if (keepImages) console.log(`Base images and downloaded packages stay in ${cacheDir}.`);
  if (packages.length > 0) {
    console.log(`It had installed system packages, which stay: ${packages.join(" ")}`);
    console.log(`Remove them if nothing else needs them: apt-get purge ${packages.join(" ")}`);
  }
  return 0;
});

/** Another lab may stand on an image; then all of them stay. */
async function removeImages(): Promise<void> {
  if (readFileSync("/proc/mounts", "utf8").includes(`lowerdir=${cacheDir}`)) {
    console.error(`Another lab runs on the base images in ${cacheDir}; they stay.`);
    return;
  }
  await removeTree(cacheDir);
}
