import { type RunStep, type Step, shown, type WaitStep } from "#provider/contract/step.ts";
import { groundOf } from "#provider/ground/ground-of.ts";
import { shownCommand } from "#transport/command.ts";
import { HostError, lastLines } from "#transport/errors.ts";
import type { Finished, Machine } from "#transport/host.ts";

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

/** A step that failed; the message says what was tried and what came back. */
export class StepError extends Error {
  override name = "StepError";
  /** What the operator does next. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** The operator pressed Ctrl-C. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

const indent = (text: string) => text.replaceAll(/^/gm, "  ");

/** The first line of a text, with how many there are. */
export function shortenText(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  const short = first.length > 300 ? `${first.slice(0, 300)}…` : first;
  return rest.length > 0 ? `${short} … (${rest.length + 1} lines)` : short;
}

/** What the step's `explain` command has to say, to be added to its error; empty without one. */
export async function runExplain(step: RunStep | WaitStep, { machine }: Performing): Promise<string> {
  if (!step.explain) return "";
  try {
    const { stdout, stderr } = await machine.run(step.explain, { timeoutSeconds: 20 });
    const lines = lastLines(stdout || stderr, 30);
    // A command of one line is worth repeating by hand; a script is not.
    const command = shownCommand(step.explain);
    const looked = command.includes("\n") ? "" : `\n  looked at: ${command}`;
    return lines && `${looked}\n${lines}`;
  } catch (error) {
    // The first failure is the one to report; that explaining failed too is only worth a line.
    return `\n  could not look further: ${(error as Error).message}`;
  }
}

/** The error of a step whose command failed: what was tried, what came back, what `explain` adds. */
export async function stepFailure(
  step: RunStep | WaitStep,
  finished: Finished,
  performing: Performing,
): Promise<StepError> {
  // Masked before long lines are cut, or half a secret would stay.
  const said = (text: string) => lastLines(performing.mask(text));
  const output = said(finished.stderr) || said(finished.stdout) || "  (no output)";
  const more = await runExplain(step, performing);
  const what =
    step.kind === "wait"
      ? `gave up waiting for ${step.what}`
      : `${shortenText(shown(step))} failed with exit code ${finished.exitCode}`;
  return new StepError(performing.mask(`${what}\n${output}${more}`), step.hint);
}

const nextTime = "once its cause is removed, run `up` again: it goes on from here";

/**
 * The last word on a step that failed: the state of the machine its output points to, how far the steps got,
 * and at the end what to do next. Anything else, such as a lost connection, is passed on as it is.
 */
export async function concludeFailure(
  error: unknown,
  step: Step,
  progress: string,
  { machine, mask }: Performing,
): Promise<unknown> {
  const refused = error instanceof HostError && error.kind === "refused";
  if (!refused && !(error instanceof StepError)) return error;
  const what = refused ? error.what : error.message;
  const path = "path" in step ? step.path : undefined;
  // What the step itself says stands also where no more can be found out.
  const cause = await groundOf(machine)
    .causeOf(what, machine, path)
    .catch(() => undefined);
  const found = cause?.found ?? [];
  const lines = [mask(what), ...found.map(indent), ...(progress ? [indent(progress)] : [])];
  const hint = cause?.hint ?? error.hint ?? nextTime;
  return new StepError([...lines, indent(hint)].join("\n"));
}
