import type { Witness } from "#provider/contract/witness.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { HostError, lastLines } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import { errorMessage } from "./errors.ts";
import type { Runtime } from "./runtime.ts";

const reachSeconds = 5;
const runSeconds = 20;
/** A connection that broke meanwhile would be made anew for longer. */
const allSeconds = 30;
const shownLines = 30;

/** Ends as the program does; 127 also where it is not there yet. */
const witnessCommand = ({ argv }: Witness): ShellCommand => sh`[ -x ${argv[0]} ] || exit 127; ${argv}`;

async function runWitness(machine: Machine, witness: Witness): Promise<string> {
  const finished = await machine.run(witnessCommand(witness), { timeoutSeconds: runSeconds });
  const { exitCode, stdout, stderr } = finished;
  const [program] = witness.argv;
  if (exitCode === 127) return `  ${machine.name} was not asked about it: it has no ${program} yet`;
  const lines = lastLines(stdout || stderr, shownLines) || "  (no output)";
  const title = `  as ${machine.name} (${machine.target}) sees it:`;
  const code = exitCode === 0 ? "" : `\n  ${program} ended with exit code ${exitCode}`;
  return `${title}\n${lines.replaceAll(/^/gm, "  ")}${code}`;
}

function rejectAfter(seconds: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000).unref();
  });
}

const firstLine = (error: unknown): string => {
  const text = error instanceof HostError ? error.what : errorMessage(error);
  return text.split("\n")[0] ?? "";
};

/**
 * What the witness of a resource sees, to follow the error with which bringing it about failed: lines that
 * begin with a line break, or one why it was not asked. Empty without a witness, and after Ctrl-C: then
 * nothing failed and nobody wants to wait.
 */
export async function askWitness(
  runtime: Runtime,
  { urn, host, witness }: { urn: string; host: string; witness: Witness | undefined },
): Promise<string> {
  if (!witness || runtime.signal.aborted) return "";
  try {
    const reach = await runtime.reach(witness.host, { withinSeconds: reachSeconds, urn });
    if (reach.state === "absent") throw new Error(reach.reason);
    if (reach.state === "unreachable") throw reach.error;
    return `\n${await Promise.race([runWitness(reach.host, witness), rejectAfter(allSeconds)])}`;
  } catch (error) {
    // The first failure is the one to report, and of a host that does not answer it has said so already.
    return witness.host === host
      ? ""
      : `\n  ${witness.host} could not be asked about it: ${firstLine(error)}`;
  }
}
