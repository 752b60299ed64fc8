import { defineResource } from "#provider/contract/resource.ts";
import { inputs } from "./inputs.ts";
import { observe } from "./observe.ts";
import { obstacles } from "./obstacles.ts";
import { apply, remove } from "./steps.ts";

/**
 * One systemd unit in the role it has for us: its text or drop-ins, its environment, whether it starts at
 * boot, whether it runs now, what it was started with and how it proves that it serves.
 *
 * A service is restarted when anything it was started with changed, also when a run broke off before the
 * restart: the process itself carries what it was started with. So it is when it goes on with a file that was
 * replaced since. Of a unit whose text is ours, all counts that systemd reads for it. The unit file of a
 * package is never edited; `unit` overrides it. Removal stops and disables the unit, deletes our files and
 * brings back what stood there before.
 */
export const systemdService = defineResource({
  type: "SystemdService",
  version: 2,
  inputs,
  identity: ["name"],
  id: ({ name }) => name,
  fromId: (name) => ({ name }),
  // What a refresh of version 1 had found pending stays in sight as a key that is not wanted, until `up` has
  // repaired it.
  migrate({ pending, diagnose: _, ...rest }) {
    return pending && Object.keys(pending).length > 0 ? { ...rest, pending } : rest;
  },
  items: ({ name }) => (name === undefined ? [] : [{ name: `unit ${name}`, path: [] }]),
  observe,
  obstacles,
  apply,
  remove,
  probes: ({ name, running }) => (running ? [{ kind: "unit", unit: name }] : []),
  journalUnits: ({ name }) => [name],
});
