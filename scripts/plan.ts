import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fitText } from "#checks/fit.ts";
import { planText, readPlan } from "#checks/plan.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { harmless, harmlessJson } from "#transport/harmless.ts";
import { preview } from "./pulumi/preview.ts";
import { plannedFits } from "./service/planned-fits.ts";
import { main } from "./terminal/main.ts";
import { voice } from "./terminal/output.ts";

await main("plan", async ({ words: [stack = ""], values }) => {
  await ensurePulumi();
  const say = voice();
  const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-plan-"));
  const file = join(folder, "plan.jsonl");
  try {
    writeFileSync(file, "", { mode: 0o600 });
    say.now(`pulumi preview of ${stack}; the hosts are looked at, not changed`);
    const [{ steps, warnings }, fits] = await Promise.all([
      preview(stack, { refresh: values.refresh, env: { GPU_HOSTS_PLAN: file } }),
      // What is wrong with the stack the preview tells.
      plannedFits(stack).catch(() => []),
    ]);
    const plan = readPlan(readFileSync(file, "utf8"), steps);
    say.stop();
    for (const warning of warnings) console.error(harmless(warning));
    process.stdout.write(
      values.json
        ? `${harmlessJson(JSON.stringify({ stack, resources: plan, fits }, undefined, 2))}\n`
        : [planText(plan, { refreshed: values.refresh }), harmless(fitText(fits))]
            .filter((text) => text !== "")
            .join("\n"),
    );
    // Its facts were read only now: the next preview and up refuse it themselves.
    return fits.some(({ decision }) => decision === "refuse") ? 1 : 0;
  } finally {
    say.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
