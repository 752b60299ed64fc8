import { ensurePulumi } from "#toolchain/install.ts";
import { projectOf, pulumiInTerminal } from "./pulumi/pulumi.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";
import { voice } from "./terminal/output.ts";

await main("up", async ({ words: [stack = ""], values }) => {
  await ensurePulumi();
  const project = projectOf(stack);
  // Here and not above: from the compile cache, which the entry itself has not been able to use.
  const { recover } = await import("./pulumi/recovery.ts");
  await recover(project, stack, (line) => console.error(line));
  const { host, ...flags } = values;
  const passed = Object.entries(flags).flatMap(([name, given]) => (given ? [`--${name}`] : []));
  const targets = host === undefined ? [] : await targetsOn(host, stack);
  // A host that fails must not leave the others half done.
  return await pulumiInTerminal(project, [
    "up",
    "--stack",
    stack,
    "--continue-on-error",
    ...passed,
    ...targets,
  ]);
});

/**
 * Only what is on the host: a service whose leader is elsewhere gets its leader changed by the next whole
 * `up`.
 */
async function targetsOn(host: string, stack: string): Promise<string[]> {
  const [{ preview }, { targetsOf }] = await Promise.all([
    import("./pulumi/preview.ts"),
    import("./stack/targets.ts"),
  ]);
  const say = voice();
  try {
    say.now(`looking up what ${stack} has on ${host}`);
    const { steps } = await preview(stack);
    const targets = targetsOf(host, steps);
    if (targets.length > 0) return targets.flatMap((urn) => ["--target", urn]);
    const hosts = [...new Set(steps.flatMap((step) => (step.host === undefined ? [] : [step.host])))];
    throw new UsageError(
      `${stack} has nothing on ${host}; it has parts on: ${hosts.join(", ") || "no host"}`,
    );
  } finally {
    say.stop();
  }
}
