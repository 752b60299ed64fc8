import module from "node:module";
import { compiled, PulumiError, projectOf, pulumi } from "#scripts/pulumi/pulumi.ts";
import { UsageError } from "./arguments.ts";

/**
 * Runs a script's body and turns what it throws into one clear text on stderr and exit code 1. DEBUG shows the stack. What the
 * body imports is taken from Node's compile cache.
 */
export async function main(usage: string, body: () => Promise<number>): Promise<void> {
  module.enableCompileCache(compiled);
  try {
    process.exitCode = await body();
  } catch (error) {
    process.exitCode = 1;
    if (process.env.DEBUG) return console.error(error);
    console.error((error as Error).message);
    if (error instanceof UsageError || (error instanceof PulumiError && error.noSuchStack)) {
      console.error(`\nusage: ${usage}\n${await knownStacks()}`);
    }
  }
}

async function knownStacks(): Promise<string> {
  try {
    const listed = JSON.parse(await pulumi(projectOf(undefined), ["stack", "ls", "--json"]));
    const names = (listed as { name: string }[]).map(({ name }) => name);
    if (projectOf("demo").folder !== projectOf(undefined).folder) names.push("demo");
    return names.length > 0
      ? `stacks: ${names.join(", ")}`
      : "There is no stack yet; make one with: npx pulumi stack init <name>";
  } catch (error) {
    return `(the stacks could not be listed: ${(error as Error).message})`;
  }
}
