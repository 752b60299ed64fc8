import { ensurePulumi } from "./install.ts";
import { nodeProblem } from "./pinned-node.ts";

// What `npm test` needs before it begins; `npm run toolchain` is the operator's command.
try {
  const wrong = nodeProblem();
  if (wrong) throw new Error(wrong);
  await ensurePulumi();
} catch (error) {
  console.error(process.env.DEBUG ? error : (error as Error).message);
  process.exitCode = 1;
}
