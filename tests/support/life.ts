import type { Release } from "#lab/base.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import type { AnyDefinition, Config, Observation } from "#provider/contract/resource.ts";
import {
  type Converged,
  converge,
  dismantle,
  observe,
  type Plan,
  plan,
} from "#provider/converge/converge.ts";
import type { Machine } from "#transport/host.ts";
import { actingOn, connectTo } from "./machine.ts";

/** One resource's life on a lab host, without Pulumi: the engine's verbs on a real machine. */
export interface Life {
  readonly lab: Lab;
  readonly host: LabHost;
  readonly machine: Machine;
  /** Every progress line so far. */
  readonly lines: readonly string[];
  up(definition: AnyDefinition, inputs: Config, last?: Config): Promise<Converged>;
  plan(definition: AnyDefinition, inputs: Config, last?: Config): Promise<Plan>;
  observe(
    definition: AnyDefinition,
    inputs: Config,
    last?: Config,
    deep?: boolean,
  ): Promise<Observation<Config> | undefined>;
  down(definition: AnyDefinition, last: Config): Promise<void>;
  /** Ends the connection and opens another, as a new run of `up` would. */
  reconnect(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a lab of one host and a pool that reaches it. */
export async function startLife(release: Release): Promise<Life> {
  const lab = await startLab({ hosts: [{ name: "alpha", release }] });
  const host = lab.host("alpha");
  const lines: string[] = [];
  let connection = await connectTo(host);
  const acting = () => actingOn(connection.machine, lines);
  const subject = (definition: AnyDefinition, inputs: Config, last?: Config) => ({
    definition,
    claimant: { stack: "lab/test", urn: `urn:pulumi:test::lab::${definition.type}::it` },
    want: definition.inputs.parse(inputs) as Config,
    last: last && (definition.inputs.parse(last) as Config),
  });
  return {
    lab,
    host,
    lines,
    get machine() {
      return connection.machine;
    },
    up: (definition, inputs, last) => converge(subject(definition, inputs, last), acting()),
    plan: (definition, inputs, last) => plan(subject(definition, inputs, last), connection.machine),
    observe(definition, inputs, last, deep) {
      const it = subject(definition, inputs, last);
      return observe(definition, connection.machine, it.want, it.last, { deep: deep ?? false });
    },
    down(definition, last) {
      const { claimant, want } = subject(definition, last);
      return dismantle({ definition, claimant, last: want }, acting());
    },
    async reconnect() {
      await connection.close();
      connection = await connectTo(host);
    },
    async stop() {
      await connection.close();
      await lab.stop();
    },
  };
}
