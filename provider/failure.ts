import { lastLines } from "#transport/errors.ts";
import type { Finished, Machine } from "#transport/host.ts";
import { type RunStep, shown, type WaitStep } from "./step.ts";

/** What performing needs beside the steps. */
export interface Performing {
  readonly machine: Machine;
  /** Shows one line of progress to the operator; resolves once it got there. */
  readonly report: (line: string) => Promise<void>;
  /** Aborted on Ctrl-C: what runs ends its step, nothing new is begun. */
  readonly signal: AbortSignal;
  /** Replaces secrets in text that came from the host. */
  readonly mask: (text: string) => string;
  /** Called when a step is about to touch the host. */
  readonly onStep?: () => void;
}

/** A step that failed; the message says what was tried, what came back and how far it got. */
export class StepError extends Error {
  override name = "StepError";
}

/** The operator pressed Ctrl-C. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

export function brief(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  const short = first.length > 300 ? `${first.slice(0, 300)}…` : first;
  return rest.length > 0 ? `${short} … (${rest.length + 1} lines)` : short;
}

export async function explained(step: RunStep | WaitStep, { machine }: Performing): Promise<string> {
  if (!step.explain) return "";
  try {
    const { stdout, stderr } = await machine.run(step.explain, { timeoutSeconds: 20 });
    const lines = lastLines(stdout || stderr, 30);
    return lines && `\n  looked at: ${brief(step.explain.text)}\n${lines}`;
  } catch (error) {
    // The first failure is the one to report; that explaining failed too is only worth a line.
    return `\n  could not look further: ${(error as Error).message}`;
  }
}

export async function failure(
  step: RunStep | WaitStep,
  finished: Finished,
  performing: Performing,
): Promise<StepError> {
  const output = lastLines(finished.stderr) || lastLines(finished.stdout) || "  (no output)";
  const more = await explained(step, performing);
  return new StepError(
    performing.mask(`${brief(shown(step))} failed with exit code ${finished.exitCode}\n${output}${more}`),
  );
}
