import { basename } from "node:path";
import { surveyAll } from "#checks/first-contact.ts";
import { projectOf } from "#scripts/pulumi/pulumi.ts";
import { inventoryOf, readConfiguration } from "#scripts/stack/stack.ts";
import { hostsIn, readStackFile, stackFileOf, withFacts, writeStackFile } from "#scripts/stack/stack-file.ts";
import { type Arguments, UsageError } from "#scripts/terminal/arguments.ts";
import type { commands } from "#scripts/terminal/commands.ts";
import { voice } from "#scripts/terminal/output.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { harmless } from "#transport/harmless.ts";
import { changesText, leftOutText } from "./survey-text.ts";

/**
 * `host refresh`: reads again what the machines have, one or all, and writes what changed into their entries.
 */
export async function refreshHosts({
  words: [stack = "", only],
}: Arguments<(typeof commands)["host refresh"]>): Promise<number> {
  await ensurePulumi();
  const file = stackFileOf(projectOf(stack), stack);
  const inventory = inventoryOf(await readConfiguration(stack));
  const known = Object.keys(inventory.hosts);
  if (only !== undefined && !known.includes(only))
    throw new UsageError(`${stack} has no host ${only}; it has: ${known.join(", ") || "none"}`);
  const names = only === undefined ? known.filter((name) => !inventory.hosts[name]?.retire) : [only];

  const say = voice();
  say.now(`reading ${names.join(", ")}`);
  const results = await surveyAll(names, inventory).finally(() => say.stop());
  // Read after the hosts have answered: the time in which somebody else may write it is short.
  let text = readStackFile(file) ?? "";
  let failed = 0;
  for (const [name, result] of Object.entries(results)) {
    if (result instanceof Error) {
      failed += 1;
      console.error(harmless(result.message));
      continue;
    }
    const before = hostsIn(text)[name];
    if (before === undefined)
      throw new Error(`${basename(file)} has no host ${name}; was it edited just now?`);
    const changes = [...changesText(before, result.facts), ...result.leftOut.map(leftOutText)];
    text = withFacts(text, name, result.facts);
    console.log([`${name}: ${changes.length === 0 ? "as it was" : ""}`.trim(), ...changes].join("\n  "));
  }
  if (text !== readStackFile(file)) writeStackFile(file, text);
  return failed > 0 ? 1 : 0;
}
