import type { z } from "zod";
import { pathText } from "#inventory/problems.ts";
import type { LabHost } from "#lab/host.ts";
import type { ResourceDefinition } from "#provider/contract/resource.ts";
import type { Step } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { converge, dismantle, observe, plan } from "#provider/converge/converge.ts";
import { claimantOf } from "#provider/converge/owners.ts";
import { perform } from "#provider/converge/perform.ts";
import type { Target } from "#provider/converge/target.ts";
import type { Machine } from "#transport/host.ts";
import { actingOn, connectTo } from "./machine.ts";
import { stepText } from "./step-text.ts";

/** One resource on a lab host through its life, as the engine would take it, less the engine. */
interface Life<I> {
  /** Converges to wants as they are written; resolves with the steps it took. */
  up(wants: I): Promise<readonly string[]>;
  /** Paths at which the host differs from what was applied last. */
  drift(): Promise<readonly string[]>;
  /** Items that an `up` with these wants would adopt. */
  adopts(wants: I): Promise<readonly string[]>;
  destroy(): Promise<void>;
  /** Lines of progress so far. */
  readonly said: readonly string[];
}

/** A provider and one lab host for a resource's life. */
export interface Bench {
  readonly machine: Machine;
  live<S extends z.ZodObject>(definition: ResourceDefinition<S>, name?: string): Life<z.input<S>>;
  /** Performs steps that no resource asked for. */
  perform(steps: readonly Step[]): Promise<void>;
  close(): Promise<void>;
}

/** A connection to a lab host and the engine's part of a resource's life. */
export async function benchOn(host: LabHost): Promise<Bench> {
  const { machine, close } = await connectTo(host);

  function live<S extends z.ZodObject>(definition: ResourceDefinition<S>, name = "it"): Life<z.input<S>> {
    const said: string[] = [];
    const acting = actingOn(machine, said);
    const claimant = claimantOf(`urn:pulumi:lab::gpu-hosts::gpuhost:index:${definition.type}::${name}`);
    let last: unknown;
    const subject = (wants: unknown): Target =>
      ({ definition, claimant, want: definition.inputs.parse(wants), last }) as Target;
    return {
      said,
      async up(wants) {
        const wanted = subject(wants);
        try {
          return (await converge(wanted, acting)).steps.map(stepText);
        } finally {
          // A failure is recorded as well, as unhealthy: destroy removes what came of it.
          last = wanted.want;
        }
      },
      async drift() {
        const have = await observe(definition as never, machine, last as never, last as never);
        return compare(last as never, have).map(({ path }) => pathText(path));
      },
      adopts: async (wants) => (await plan(subject(wants), machine)).adopted.map(({ name }) => name),
      async destroy() {
        await dismantle({ definition, claimant, last } as never, acting);
      },
    };
  }
  return {
    machine,
    live,
    async perform(steps) {
      await perform(steps, actingOn(machine));
    },
    close,
  };
}
