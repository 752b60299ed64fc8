import { setTimeout as sleep } from "node:timers/promises";
import type { WaitStep } from "#provider/contract/step.ts";
import { explained, failure, Interrupted, type Performing, StepError } from "./failure.ts";

/** EX_TEMPFAIL of sysexits.h: not yet, ask again. */
const notYet = 75;

async function outOfTime(step: WaitStep, said: string, performing: Performing): Promise<StepError> {
  const more = await explained(step, performing);
  const last = said ? `\n  last seen: ${said}` : "";
  const what = `waited ${step.deadlineSeconds} s for ${step.what} without progress`;
  return new StepError(performing.mask(`${what}${last}${more}`), step.hint);
}

/** Polls until the command of a wait step exits 0; progress that changes starts the deadline again. */
export async function waitFor(step: WaitStep, performing: Performing): Promise<void> {
  const { machine, mask, report, signal } = performing;
  const deadline = () => Date.now() + step.deadlineSeconds * 1000;
  let progress: string | undefined;
  let end = deadline();
  for (;;) {
    const finished = await machine.run(step.command, { timeoutSeconds: 60 });
    if (finished.exitCode === 0) return;
    if (finished.exitCode !== notYet) throw await failure(step, finished, performing);
    const said = finished.stdout.trim().split("\n").at(-1) ?? "";
    if (said !== progress) end = deadline();
    progress = said;
    if (Date.now() > end) throw await outOfTime(step, said, performing);
    await report(mask(`waiting for ${step.what}${said && `: ${said}`}`));
    await sleep((step.intervalSeconds ?? 2) * 1000);
    if (signal.aborted) throw new Interrupted(`stopped while waiting for ${step.what}`);
  }
}
