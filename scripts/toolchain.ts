import { ensurePulumi } from "#toolchain/install.ts";
import { main } from "./terminal/main.ts";

await main("toolchain", async () => {
  await ensurePulumi();
  return 0;
});
