import { basename } from "node:path";
import { suggestion } from "#inventory/problems.ts";
import { projectOf } from "#scripts/pulumi/pulumi.ts";
import {
  readStackFile,
  servicesIn,
  stackFileOf,
  withoutService,
  writeStackFile,
} from "#scripts/stack/stack-file.ts";
import { type Arguments, UsageError } from "#scripts/terminal/arguments.ts";
import type { commands } from "#scripts/terminal/commands.ts";

/** `service remove`: takes a service out of the stack file; the next `up` takes it off its machines. */
export async function removeService({
  words: [stack = "", name = ""],
}: Arguments<(typeof commands)["service remove"]>): Promise<number> {
  const file = stackFileOf(projectOf(stack), stack);
  const text = readStackFile(file);
  if (text === undefined) throw new UsageError(`there is no ${file}`);
  const known = Object.keys(servicesIn(text));
  if (!known.includes(name)) {
    const near = known.length === 0 ? "; it has none" : suggestion(name, known);
    throw new UsageError(`${name} is no service of ${stack}${near}`);
  }
  writeStackFile(file, withoutService(text, name));
  console.log(
    `${name} is out of ${basename(file)}. Until the next up it runs on: npm run plan ${stack}, then npm run up ${stack}`,
  );
  return 0;
}
