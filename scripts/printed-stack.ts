import { projectOf, pulumi } from "./pulumi.ts";

/** What the CLI prints of a stack, secrets decrypted, on its way. */
export interface PrintedStack {
  readonly exported: Promise<string>;
  readonly config: Promise<string>;
}

/** Asks the CLI for state and configuration of a stack, both at once; every call takes it up to half a second. */
export function printStack(stack: string): PrintedStack {
  const project = projectOf(stack);
  const ask = (...args: string[]) => {
    const printed = pulumi(project, [...args, "--show-secrets", "--stack", stack]);
    // Who waits for the other one first must not be ended by this one's failure.
    printed.catch(() => undefined);
    return printed;
  };
  return { exported: ask("stack", "export"), config: ask("config", "--json") };
}
