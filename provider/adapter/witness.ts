import type { Witness } from "#provider/contract/witness.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import { HostError, lastLines } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import type { Runtime } from "./runtime.ts";

const REACH_SECONDS = 5;
const RUN_SECONDS = 20;
/** A connection that broke meanwhile would be made anew for longer. */
const ALL_SECONDS = 30;
const LINES = 30;

/** Ends as the program does; 127 also where it is not there yet. */
const asked = ({ argv }: Witness): ShellCommand => sh`[ -x ${argv[0]} ] || exit 127; ${argv}`;

async function said(machine: Machine, witness: Witness): Promise<string> {
  const { exitCode, stdout, stderr } = await machine.run(asked(witness), { timeoutSeconds: RUN_SECONDS });
  const [program] = witness.argv;
  if (exitCode === 127) return `  ${machine.name} was not asked about it: it has no ${program} yet`;
  const lines = lastLines(stdout || stderr, LINES) || "  (no output)";
  const title = `  as ${machine.name} (${machine.target}) sees it:`;
  const code = exitCode === 0 ? "" : `\n  ${program} ended with exit code ${exitCode}`;
  return `${title}\n${lines.replaceAll(/^/gm, "  ")}${code}`;
}

function late(seconds: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000).unref();
  });
}

const oneLine = (error: unknown): string => {
  const text =
    error instanceof HostError ? error.what : error instanceof Error ? error.message : String(error);
  return text.split("\n")[0] ?? "";
};

async function testimony(runtime: Runtime, urn: string, host: string, witness: Witness): Promise<string> {
  try {
    const reach = await runtime.reach(witness.host, { withinSeconds: REACH_SECONDS, urn });
    if (reach.state === "absent") throw new Error(reach.reason);
    if (reach.state === "unreachable") throw reach.error;
    return await Promise.race([said(reach.host, witness), late(ALL_SECONDS)]);
  } catch (error) {
    // The first failure is the one to report, and of a host that does not answer it has said so already.
    return witness.host === host ? "" : `  ${witness.host} could not be asked about it: ${oneLine(error)}`;
  }
}

/**
 * Brings a resource about. If that fails, before or after its host was touched, the error is followed by what the witness
 * sees, or by one line why it was not asked.
 */
export async function witnessed<T>(
  runtime: Runtime,
  about: { urn: string; host: string; witness: Witness | undefined; mask: (text: string) => string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { urn, host, witness, mask } = about;
    // After Ctrl-C nothing failed, and nobody wants to wait.
    if (!witness || runtime.signal.aborted || !(error instanceof Error)) throw error;
    const more = mask(await testimony(runtime, urn, host, witness));
    if (more) error.message += `\n${more}`;
    throw error;
  }
}
