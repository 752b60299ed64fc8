import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Ended } from "./workspace.ts";

/** What a command said that had to succeed; shown if it did not. */
export function ok({ exitCode, output }: Ended): string {
  expect(exitCode, output).toBe(0);
  return output;
}

/** What a command said that had to fail. */
export function failed({ exitCode, output }: Ended): string {
  expect(exitCode, output).not.toBe(0);
  return output;
}

/**
 * For commands that have to refuse their work, in plain words and with the stack file as it was: gives what
 * they say.
 */
export const refusals =
  (stackFile: () => string) =>
  async (command: Promise<Ended>): Promise<string> => {
    const before = readFileSync(stackFile(), "utf8");
    const { exitCode, output } = await command;
    expect(exitCode, output).toBe(1);
    expect(output).not.toContain("    at ");
    expect(readFileSync(stackFile(), "utf8")).toBe(before);
    return output;
  };
