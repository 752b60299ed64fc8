import { type RunStep, type Step, shown } from "#provider/contract/step.ts";
import { groundOf } from "#provider/ground/ground-of.ts";
import { concludeFailure, Interrupted, type Performing, shortenText, stepFailure } from "./failure.ts";
import { followLong } from "./long.ts";
import { waitFor } from "./wait.ts";

const reconnectSeconds = 20;

async function runStep(step: RunStep, performing: Performing): Promise<void> {
  const finished = await performing.machine.run(step.command, {
    timeoutSeconds: step.timeoutSeconds ?? 120,
    onLine: (line) => void performing.report(performing.mask(line)),
    ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
  });
  if (finished.exitCode !== 0) throw await stepFailure(step, finished, performing);
}

async function performOne(step: Exclude<Step, { kind: "again" }>, performing: Performing): Promise<void> {
  const { machine } = performing;
  switch (step.kind) {
    case "run":
      return step.alone
        ? await machine.gate.alone(() => runStep(step, performing))
        : await machine.gate.step(step.turn, () => runStep(step, performing));
    case "write":
      return await machine.gate.step(undefined, () => machine.writeFile(step.path, step.content, step));
    case "delete":
      return await machine.gate.step(undefined, () =>
        runStep({ kind: "run", command: groundOf(machine).deletion(step.path) }, performing),
      );
    // A wait changes nothing, so it does not hold up a reboot that another resource needs.
    case "wait":
      return await waitFor(step, performing);
    case "long":
      return await machine.gate.step(undefined, () => followLong(step, performing));
    case "reconnect":
      return await machine.gate.alone(() => machine.reconnect(reconnectSeconds));
    case "reboot":
      return await machine.gate.alone(() => machine.reboot(groundOf(machine).rebootSeconds));
  }
}

/**
 * Performs steps in order: the only function that changes a host. Stops at the first failure, after the
 * current step on Ctrl-C, and at an `again` (returned, so that the caller looks at the host anew).
 */
export async function perform(steps: readonly Step[], performing: Performing): Promise<"done" | "again"> {
  for (const [index, step] of steps.entries()) {
    if (performing.signal.aborted) {
      throw new Interrupted(
        `stopped by Ctrl-C after ${index} of ${steps.length} steps; the next up finishes it`,
      );
    }
    // Awaited: the operator has read what is about to happen before it does.
    await performing.report(performing.mask(shortenText(shown(step))));
    if (step.kind === "again") return "again";
    performing.onStep?.();
    try {
      await performOne(step, performing);
    } catch (error) {
      const progress = steps.length > 1 ? `${index} of ${steps.length} steps were done` : "";
      throw await concludeFailure(error, step, progress, performing);
    }
  }
  return "done";
}
