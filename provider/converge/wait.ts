import { setTimeout as sleep } from "node:timers/promises";
import type { Verdict } from "#facts/probes/probe.ts";
import type { WaitStep } from "#provider/contract/step.ts";
import type { Finished } from "#transport/host.ts";
import { Interrupted, type Performing, runExplain, StepError, stepFailure } from "./failure.ts";

/** EX_TEMPFAIL of sysexits.h: not yet, ask again. */
const notYet = 75;

async function deadlineError(step: WaitStep, progress: string, performing: Performing): Promise<StepError> {
  const more = await runExplain(step, performing);
  const last = progress ? `\n  last seen: ${progress}` : "";
  const what = `waited ${step.deadlineSeconds} s for ${step.what} without progress`;
  return new StepError(performing.mask(`${what}${last}${more}`), step.hint);
}

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? "";

/** One look at what is waited for; `finished` is what to tell where it failed. */
async function look(step: WaitStep, { machine }: Performing): Promise<Verdict & { finished: Finished }> {
  if ("ask" in step) {
    const verdict = await machine.ask(step.ask);
    return { ...verdict, finished: { exitCode: 1, stdout: verdict.text, stderr: "" } };
  }
  const finished = await machine.run(step.command, { timeoutSeconds: 60 });
  const { exitCode } = finished;
  const state = exitCode === 0 ? "ok" : exitCode === notYet ? "not yet" : "failed";
  return { state, text: lastLine(finished.stdout), finished };
}

/** Polls until what a wait step waits for is there; progress that changes starts the deadline again. */
export async function waitFor(step: WaitStep, performing: Performing): Promise<void> {
  const { mask, report, signal } = performing;
  const deadline = () => Date.now() + step.deadlineSeconds * 1000;
  let progress: string | undefined;
  let end = deadline();
  for (;;) {
    const { state, text, finished } = await look(step, performing);
    if (state === "ok") return;
    if (state === "failed") throw await stepFailure(step, finished, performing);
    if (text !== progress) end = deadline();
    progress = text;
    if (Date.now() > end) throw await deadlineError(step, text, performing);
    await report(mask(`waiting for ${step.what}${text && `: ${text}`}`));
    await sleep((step.intervalSeconds ?? 2) * 1000);
    if (signal.aborted)
      throw new Interrupted(
        mask(`stopped while waiting for ${step.what}${text && `\n  last seen: ${text}`}`),
      );
  }
}
