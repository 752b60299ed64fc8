import { projectOf, pulumi } from "#scripts/pulumi/pulumi.ts";

/** What the CLI prints of a stack, secrets decrypted, on its way. */
interface PrintedStack {
  readonly exported: Promise<string>;
  readonly config: Promise<string>;
}

function ask(stack: string, ...args: string[]): Promise<string> {
  const printed = pulumi(projectOf(stack), [...args, "--show-secrets", "--stack", stack]);
  // Who waits for another answer first must not be ended by this one's failure.
  printed.catch(() => undefined);
  return printed;
}

/** Asks the CLI for the configuration of a stack. */
export const printConfiguration = (stack: string): Promise<string> => ask(stack, "config", "--json");

/**
 * Asks the CLI for state and configuration of a stack, both at once; every call takes it up to half a second.
 */
export const printStack = (stack: string): PrintedStack => ({
  exported: ask(stack, "stack", "export"),
  config: printConfiguration(stack),
});
