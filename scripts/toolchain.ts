import { downloadAndPin, ensurePulumi, pulumiFolder, pulumiVersion } from "#toolchain/install.ts";
import { nodeProblem } from "#toolchain/pinned-node.ts";
import { recordedHashes, vendorArchive } from "#toolchain/vendor-archive.ts";
import { main } from "./terminal/main.ts";

await main("toolchain", async ({ values: { pin } }) => {
  const wrong = nodeProblem();
  if (wrong) throw new Error(wrong);
  await ensurePulumi(pin ? { ways: [downloadAndPin()] } : {});
  if (pin && !recordedHashes()[vendorArchive(pulumiVersion).name])
    throw new Error(
      `Nothing was recorded: the CLI is in ${pulumiFolder()} already. Remove that folder first.`,
    );
  return 0;
});
