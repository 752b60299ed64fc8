import { downloadAndPin, ensurePulumi, pulumiFolder, pulumiVersion } from "./install.ts";
import { nodeProblem } from "./pinned-node.ts";
import { recordedHashes, vendorArchive } from "./vendor-archive.ts";

try {
  const wrong = nodeProblem();
  if (wrong) throw new Error(wrong);
  const pin = process.argv.includes("--pin");
  await ensurePulumi(pin ? { ways: [downloadAndPin()] } : {});
  if (pin && !recordedHashes()[vendorArchive(pulumiVersion).name])
    throw new Error(
      `Nothing was recorded: the CLI is in ${pulumiFolder()} already. Remove that folder first.`,
    );
} catch (error) {
  console.error(process.env.DEBUG ? error : (error as Error).message);
  process.exitCode = 1;
}
