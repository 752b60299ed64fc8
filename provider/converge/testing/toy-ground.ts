import type { LongStep } from "#provider/contract/step.ts";
import type { Cause, Ground } from "#provider/ground/ground.ts";
import type { OwnerRecord } from "#provider/ground/owner-record.ts";
import { ps } from "#transport/command.ts";
import type { Host } from "#transport/host.ts";
import type { MachineScript } from "#transport/testing/scripted-machine.ts";

// A second platform for tests of the engine. Everything that it does on a machine is a script with values,
// and the machine of the tests takes nothing else; so the engine passes only if it has no text of its own for
// any system.

const call = (name: string, values: Parameters<typeof ps>[1] = {}) => ps({ name, text: "" }, values);

/** Name of the work of a long step: same key, same name. */
export const workName = (step: Pick<LongStep, "name" | "key">): string => `${step.name}:${String(step.key)}`;

const toyGround: Ground = {
  rebootSeconds: 2700,
  deletion: (path) => call("delete-path", { path }),
  readOwners: (items) => ({
    name: "owners",
    command: call("read-owners", { items }),
    parse: ({ stdout }) =>
      new Map((JSON.parse(stdout) as OwnerRecord[]).map((record) => [record.item, record])),
  }),
  writeOwners: (records) => ({ command: call("write-owners"), stdin: JSON.stringify(records) }),
  long: (step) => ({
    name: workName(step),
    log: `log of ${workName(step)}`,
    start: call("start-work", { name: workName(step) }),
    startSeconds: 100,
    look: (offset) => ({
      name: "work",
      command: call("look-at-work", { name: workName(step), offset }),
      parse: ({ stdout }) => JSON.parse(stdout),
    }),
    clean: call("clean-work", { name: workName(step) }),
  }),
  async causeOf(text, host, path): Promise<Cause | undefined> {
    if (!text.includes("disk full")) return undefined;
    const { stdout } = await host.run(call("look-at-disk", { path: path ?? "none" }));
    return { found: [stdout], hint: "make room, then run `up` again" };
  },
};

/** In the place of the engine's own choice. */
export function toyGroundOf({ system }: Pick<Host, "system">): Ground {
  if (system !== "windows") throw new Error(`the toy ground is for another system than ${system}`);
  return toyGround;
}

/** The owners record of a machine, and the scripts that keep it. */
export function ownersScripts(records = new Map<string, OwnerRecord>()): {
  records: Map<string, OwnerRecord>;
  scripts: MachineScript["scripts"];
} {
  return {
    records,
    scripts: {
      "read-owners": ({ items }) =>
        JSON.stringify((items as string[]).flatMap((item) => records.get(item) ?? [])),
      "write-owners": (_values, { stdin }) => {
        for (const record of JSON.parse(String(stdin)) as OwnerRecord[]) {
          if (record.owners.length > 0) records.set(record.item, record);
          else records.delete(record.item);
        }
        return "";
      },
    },
  };
}
