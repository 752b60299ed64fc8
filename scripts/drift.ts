import { ensurePulumi } from "#toolchain/install.ts";
import { printStack } from "./stack/printed-stack.ts";
import { main } from "./terminal/main.ts";
import { printReport, voice } from "./terminal/output.ts";

await main("drift", async ({ words: [stack = ""], values }) => {
  await ensurePulumi();
  const say = voice();
  try {
    say.now(`reading stack ${stack}`);
    const printed = printStack(stack);
    // Loaded while the CLI works.
    const [{ stackDrift }, { inventoryOf, readConfiguration }] = await Promise.all([
      import("#checks/drift.ts"),
      import("./stack/stack.ts"),
    ]);
    const inventory = inventoryOf(await readConfiguration(stack, printed.config));
    say.now(
      values.deep
        ? "comparing the hosts with what was last applied, contents too: that takes minutes"
        : "comparing the hosts with what was last applied",
    );
    const results = await stackDrift(
      printed.exported.then((text) => JSON.parse(text)),
      inventory,
      undefined,
      values.deep ?? false,
    );
    say.stop();
    return printReport({ command: "drift", stack, results }, values);
  } finally {
    say.stop();
  }
});
