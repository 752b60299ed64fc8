import module from "node:module";
import { inspect } from "node:util";
import { compiled, PulumiError, projectOf, pulumi } from "#scripts/pulumi/pulumi.ts";
import { harmless } from "#transport/harmless.ts";
import { type Arguments, asksForHelp, readArguments, UsageError } from "./arguments.ts";
import { type CommandName, commands, helpOf, usageOf } from "./commands.ts";

/**
 * Runs a command: reads its command line, answers `--help`, and turns what its body throws into one clear
 * text on stderr and exit code 1. DEBUG shows the stack. What the body imports is taken from Node's compile
 * cache.
 */
export async function main<N extends CommandName>(
  name: N,
  body: (given: Arguments<(typeof commands)[N]>) => Promise<number>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> {
  module.enableCompileCache(compiled);
  const command = commands[name];
  if (asksForHelp(command, argv)) {
    process.stdout.write(helpOf(command));
    return;
  }
  try {
    process.exitCode = await body(readArguments(command, argv));
  } catch (error) {
    process.exitCode = 1;
    // What it quotes may come from a host, or from whoever answers at its address.
    if (process.env.DEBUG) return console.error(harmless(inspect(error)));
    console.error(harmless((error as Error).message));
    if (error instanceof UsageError || (error instanceof PulumiError && error.noSuchStack)) {
      const stacks = (command.words as readonly string[]).includes("stack") ? `\n${await knownStacks()}` : "";
      console.error(harmless(`\nusage: ${usageOf(command)}${stacks}`));
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
      : "There is no stack yet; make one with: npx pulumi stack init NAME";
  } catch (error) {
    return `(the stacks could not be listed: ${(error as Error).message})`;
  }
}
