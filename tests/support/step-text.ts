import { type Step, shown } from "#provider/contract/step.ts";
import { keyOf } from "#transport/command.ts";

/** What really reaches a host, whatever title the operator sees. */
export const stepText = (step: Step): string => (step.kind === "run" ? keyOf(step.command) : shown(step));
