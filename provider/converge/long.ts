import { setTimeout as sleep } from "node:timers/promises";
import type { LongStep } from "#provider/contract/step.ts";
import type { LongLook, LongWork } from "#provider/ground/ground.ts";
import { groundOf } from "#provider/ground/ground-of.ts";
import { HostError, type HostErrorKind, lastLines } from "#transport/errors.ts";
import { Interrupted, type Performing, StepError } from "./failure.ts";

const pollMilliseconds = 700;
/**
 * A lost connection is only a reason to look again, for as long as a machine takes to reboot or a network to
 * come back.
 */
const patienceSeconds = 600;
const passingKinds: readonly HostErrorKind[] = ["lost", "timeout", "unreachable"];
/** The end of the log that is kept for an error. */
const keptCharacters = 32_768;
/** Lines of the log that are shown at once as progress. */
const shownLines = 8;

/** Looks at the work, and outwaits a lost connection. */
async function poll(work: LongWork, offset: number, performing: Performing): Promise<LongLook> {
  const { machine, report, signal } = performing;
  const { command, timeoutSeconds = 30, parse } = work.look(offset);
  const deadline = Date.now() + patienceSeconds * 1000;
  for (;;) {
    try {
      return parse(await machine.run(command, { timeoutSeconds }));
    } catch (error) {
      if (!(error instanceof HostError) || !passingKinds.includes(error.kind)) throw error;
      if (Date.now() > deadline) {
        throw new StepError(
          `${error.what}\n  ${work.name} goes on on the machine if that still runs; the next up attaches to it`,
        );
      }
      await report(`the connection is lost, the work goes on without it: ${error.what.split("\n")[0]}`);
      await sleep(1000);
      detachOnInterrupt(work, machine.name, signal);
    }
  }
}

function detachOnInterrupt(work: LongWork, host: string, signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new Interrupted(
    `detached by Ctrl-C: ${work.name} goes on on ${host}; the next up attaches to it, and stops it if its inputs changed`,
  );
}

/** Lines with something in them, each once where it comes again and again. */
const textLines = (text: string): string[] =>
  text.split(/[\r\n]+/).filter((line, i, all) => line.trim() !== "" && line !== all[i - 1]);

/** Starts a long step or attaches to it, shows its log as progress, and fails as it fails. */
export async function followLong(step: LongStep, performing: Performing): Promise<void> {
  const { machine, mask, report, signal } = performing;
  const work = groundOf(machine).long(step);
  const started = await machine.run(work.start, {
    stdin: step.stdin ?? "",
    timeoutSeconds: work.startSeconds,
    onLine: (line) => void report(mask(line)),
  });
  if (started.exitCode !== 0) {
    throw new StepError(mask(`could not start ${work.name} on the host\n${lastLines(started.stderr)}`));
  }
  let offset = 0;
  let tail = "";
  let shown: string | undefined;
  for (;;) {
    const { state, end, size, more } = await poll(work, offset, performing);
    offset = size;
    // The last line may be only half there; it is shown once more when it is whole.
    const begun = tail.slice(tail.lastIndexOf("\n") + 1);
    for (const line of textLines(begun + more).slice(-shownLines)) {
      if (line !== shown) await report(mask(line));
      shown = line;
    }
    tail = (tail + more).slice(-keptCharacters);
    if (state === "done") {
      await machine.run(work.clean);
      return;
    }
    if (state === "failed") {
      const last = lastLines(textLines(tail).join("\n"), 20);
      throw new StepError(mask(`${step.name} ${end}\n${last}\n  whole log: ${work.log}`));
    }
    detachOnInterrupt(work, machine.name, signal);
    await sleep(pollMilliseconds);
  }
}
