import { z } from "zod";
import { checkRecord } from "#facts/check-record.ts";
import { shownProbe, waitProbe } from "#facts/probes/ask-probe.ts";
import { probe } from "#facts/probes/probe.ts";
import { journalOf } from "#facts/systemd.ts";
import { defineResource } from "#provider/contract/resource.ts";
import { remove, run, wait, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";

const folder = "/var/lib/gpu-hosts/checks";
const recordOf = (name: string) => `${folder}/${name}.json`;

const inputs = z.strictObject({
  name: z
    .string()
    .regex(/^[\w][\w.@-]*$/, "must be one plain name")
    .describe("Name of the check, unique on its host."),
  probe: probe.describe("What is asked."),
  generation: z
    .string()
    .describe("Generation of what is asked: the probe runs again whenever this changes, and only then."),
  deadlineSeconds: z
    .int()
    .positive()
    .default(1200)
    .describe("Seconds without any progress after which waiting for a good answer ends."),
  unit: z.string().optional().describe("Unit whose journal explains a failure."),
});

/**
 * A probe that was passed: run once for each generation of what it asks, the result recorded on the host.
 * Reading it looks at the record and asks the service nothing: how a service is *now* is the question of
 * `verify`. Removal forgets the record.
 */
export const check = defineResource({
  type: "Check",
  version: 1,
  inputs,
  identity: ["name"],
  id: ({ name }) => `check:${name}`,
  items: ({ name }) => (name === undefined ? [] : [{ name: `check ${name}`, path: [] }]),

  async observe(host, want) {
    const record = await host.ask(checkRecord(recordOf(want.name)));
    if (record === undefined) return undefined;
    const { deadlineSeconds, unit, name } = want;
    const passed = inputs.pick({ probe: true, generation: true }).safeParse(record.passed);
    return {
      config: { name, deadlineSeconds, ...(unit === undefined ? {} : { unit }), ...passed.data },
      status: { passedAt: new Date(record.at * 1000).toISOString() },
    };
  },

  *apply(want) {
    yield wait({
      what: shownProbe(want.probe),
      command: waitProbe(want.probe),
      deadlineSeconds: want.deadlineSeconds,
      ...(want.unit === undefined ? {} : { explain: journalOf(want.unit) }),
    });
    const { probe, generation } = want;
    yield run(sh`install -d -m 0700 ${folder}`);
    yield write(recordOf(want.name), `${JSON.stringify({ probe, generation })}\n`, {
      mode: "0600",
      owner: "root:root",
    });
  },

  *remove({ config }) {
    if (config.name !== undefined) yield remove(recordOf(config.name));
  },

  probes: ({ probe }) => [probe],
});
