import { type Step, shown } from "#provider/contract/step.ts";

/** What really reaches a host, whatever title the operator sees. */
export const stepText = (step: Step): string => (step.kind === "run" ? step.command.text : shown(step));
