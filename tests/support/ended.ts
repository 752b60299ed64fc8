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
