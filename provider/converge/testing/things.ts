import { z } from "zod";
import {
  type AnyDefinition,
  type Config,
  defineResource,
  type ResourceDefinition,
} from "#provider/contract/resource.ts";
import { run, type Step } from "#provider/contract/step.ts";
import type { OwnerRecord } from "#provider/ground/owner-record.ts";
import { ps } from "#transport/command.ts";
import type { Machine } from "#transport/host.ts";
import { type MachineScript, scriptedMachine } from "#transport/testing/scripted-machine.ts";
import { converge, dismantle } from "../converge.ts";
import { claimantOf } from "../owners.ts";
import { runClock } from "./clock.ts";
import { actingOn } from "./performing.ts";
import { ownersScripts } from "./toy-ground.ts";

const call = (name: string, values: Parameters<typeof ps>[1] = {}) => ps({ name, text: "" }, values);
const set = (name: string, value: string) => run(call("set", { name, value }));
const inputs = z.strictObject({ things: z.record(z.string(), z.string()) });
export type Want = z.output<typeof inputs>;

/** Things of a machine and their values. What begins with `common` may be shared. */
export const things: ResourceDefinition<typeof inputs> = defineResource({
  type: "Things",
  version: 1,
  inputs,
  identity: [],
  id: () => "things",
  items: ({ things = {} }) =>
    Object.keys(things).map((name) => ({
      name: `thing ${name}`,
      path: ["things", name],
      shared: name.startsWith("common"),
    })),
  async observe(host, want, last) {
    const names = Object.keys({ ...want.things, ...last?.things });
    const all = await host.ask({
      name: "things",
      command: call("read"),
      parse: ({ stdout }) => JSON.parse(stdout) as Record<string, string>,
    });
    const seen = Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
    return Object.keys(seen).length > 0 ? { config: { things: seen } } : undefined;
  },
  *apply(want, have, context) {
    const there = have?.config.things ?? {};
    for (const [name, value] of Object.entries(want.things))
      if (there[name] !== value) yield set(name, value);
    yield* undo(
      Object.keys(there).filter((name) => !(name in want.things)),
      context.before,
    );
  },
  *remove({ config }, context) {
    yield* undo(Object.keys(config.things ?? {}), context.before);
  },
});

function* undo(names: readonly string[], before: (item: string) => unknown): Generator<Step> {
  for (const name of names) {
    const was = before(`thing ${name}`);
    yield was === undefined ? run(call("clear", { name })) : set(name, String(was));
  }
}

/** A machine that keeps things and an owners record. */
export function house(there: Record<string, string> = {}, scripts: MachineScript["scripts"] = {}) {
  const kept = new Map(Object.entries(there));
  const owners = ownersScripts();
  const machine = scriptedMachine({
    scripts: {
      ...owners.scripts,
      read: () => JSON.stringify(Object.fromEntries(kept)),
      set: ({ name, value }) => {
        kept.set(String(name), String(value));
        return "";
      },
      clear: ({ name }) => {
        kept.delete(String(name));
        return "";
      },
      ...scripts,
    },
  });
  return { machine, kept, records: owners.records };
}

const urn = (name: string, stack = "prod") => `urn:pulumi:${stack}::gpu-hosts::gpuhost:index:Things::${name}`;
/** The claimant of the tests, another resource of its stack, and another stack. */
export const me = claimantOf(urn("mine"));
export const sibling = claimantOf(urn("other"));
export const stranger = claimantOf(urn("mine", "lab"));

/** These things brought about for `me`. */
export const target = (
  want: Want["things"],
  last?: Want["things"],
  claimant = me,
  definition: AnyDefinition = things,
) => ({
  definition,
  claimant,
  want: { things: want } as Config,
  last: last && ({ things: last } as Config),
});
export const up = (machine: Machine, ...wanted: Parameters<typeof target>) =>
  runClock(converge(target(...wanted), actingOn(machine)));
export const down = (machine: Machine, last: Want["things"], claimant = me) =>
  runClock(dismantle({ definition: things, claimant, last: { things: last } }, actingOn(machine)));

/** An entry of the owners record. */
export const owned = (
  item: string,
  owners: OwnerRecord["owners"],
  before: OwnerRecord["before"] = null,
): [string, OwnerRecord] => [item, { item, owners, before }];
/** The steps that reached a machine, less what was noted of owners. */
export const changesOn = ({ log }: { log: readonly string[] }) =>
  log.filter((line) => line.startsWith("run ") && !line.startsWith("run write-owners"));
