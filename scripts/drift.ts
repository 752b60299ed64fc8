import { stackDrift } from "#checks/drift.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { readArguments } from "./arguments.ts";
import { main } from "./main.ts";
import { printReport, refuseDeep, reportOptions, reportUsage, voice } from "./output.ts";
import { inventoryOf, readStack } from "./stack.ts";

await main(`npm run drift <stack> -- ${reportUsage}`, async () => {
  const { stack, values } = readArguments(reportOptions);
  refuseDeep(values);
  await ensurePulumi();
  const say = voice();
  try {
    say.now(`reading stack ${stack}`);
    const { exported, raw } = await readStack(stack);
    say.now("comparing the hosts with what was last applied");
    const results = await stackDrift(exported, inventoryOf(raw));
    say.stop();
    return printReport({ command: "drift", stack, results }, values);
  } finally {
    say.stop();
  }
});
