import { createHash } from "node:crypto";
import type { Item, Json } from "#provider/contract/resource.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact, Host } from "#transport/host.ts";

const folder = "/var/lib/gpu-hosts/owners";

/** Who claims an item: a resource (URN) of a stack (`project/stack`). */
export interface Claimant {
  readonly stack: string;
  readonly urn: string;
  /** Who ran the claim, `user@machine`: tells two operators' stacks of one name apart. */
  readonly by?: string | undefined;
}

/** The claimant of now, and which other owners in the records are itself. */
export interface Self extends Claimant {
  /** The name of its last claim: the stack was renamed since, or the resource got another parent. */
  readonly formerly?: Claimant | undefined;
  /** Stacks that are no more, whose items it inherits: `hosts.<name>.takeOver`. */
  readonly inherits?: readonly string[];
}

/** What the machine itself remembers of one item, so that the last owner to leave puts back what was before. */
export interface OwnerRecord {
  readonly item: string;
  readonly owners: readonly Claimant[];
  /** What stood there before gpu-hosts first touched it; null: nothing. */
  readonly before: Json;
}

export type Owners = ReadonlyMap<string, OwnerRecord>;

/** The claimant that a URN (`urn:pulumi:<stack>::<project>::<types>::<name>`) speaks for. */
export function claimantOf(urn: string): Claimant {
  const [stack, project] = urn.replace(/^urn:pulumi:/, "").split("::");
  return { stack: `${project}/${stack}`, urn };
}

const fileOf = (item: string) => `${createHash("sha256").update(item).digest("hex").slice(0, 32)}.json`;

function ownersFact(items: readonly string[]): Fact<Owners> {
  return {
    name: "owners record",
    command: sh`cd ${folder} 2>/dev/null || exit 0; cat -- ${items.map(fileOf)} 2>/dev/null; exit 0`,
    parse: ({ stdout }) =>
      new Map(
        stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as OwnerRecord)
          .map((record) => [record.item, record]),
      ),
  };
}

export async function readOwners(host: Host, items: readonly Item[]): Promise<Owners> {
  return items.length === 0 ? new Map() : await host.ask(ownersFact(items.map((item) => item.name)));
}

/** A command that writes records, one `<file> <json>` a line on stdin; a record nobody owns is removed. */
export function writeOwners(records: readonly OwnerRecord[]): { command: ShellCommand; stdin: string } {
  const line = (record: OwnerRecord) =>
    `${fileOf(record.item)} ${record.owners.length > 0 ? JSON.stringify(record) : "-"}\n`;
  return {
    command: sh`umask 077 && mkdir -p ${folder} && cd ${folder} || exit 1
while IFS= read -r line; do
  file=\${line%% *} json=\${line#* }
  if [ "$json" = - ]; then rm -f -- "$file"; continue; fi
  printf '%s\n' "$json" > ".$file" && mv -f -- ".$file" "$file" || exit 1
done`,
    stdin: records.map(line).join(""),
  };
}

const same = (a: Claimant, b: Claimant) => a.stack === b.stack && a.urn === b.urn;

/** Whether an owner is me under a name that I no longer have. */
const past = (owner: Claimant, { formerly, inherits = [] }: Self) =>
  (formerly !== undefined && same(owner, formerly)) || inherits.includes(owner.stack);

const mine = (owner: Claimant, me: Self) => same(owner, me) || past(owner, me);

/** The other stack that keeps us from an item, if there is one. */
export function conflict(item: Item, owners: Owners, me: Self): Claimant | undefined {
  if (item.shared) return undefined;
  return owners.get(item.name)?.owners.find((owner) => owner.stack !== me.stack && !mine(owner, me));
}

/**
 * The owner of an item that the state takes for ours and the machine for others' alone: it may neither be removed nor
 * forgotten without a word. A shared one simply stays theirs.
 */
export function stranger(item: Item, owners: Owners, me: Self): Claimant | undefined {
  const all = owners.get(item.name)?.owners ?? [];
  const known = all.some((owner) => mine(owner, me) || owner.stack === me.stack);
  return item.shared || known ? undefined : all[0];
}

/** Who else, by the machine's record, has claimed items under our very name; for a resource that our state does not know. */
export function namesakes(items: readonly Item[], owners: Owners, me: Self): readonly string[] {
  const found = items.flatMap(
    ({ name }) => owners.get(name)?.owners.filter((owner) => same(owner, me)) ?? [],
  );
  return [...new Set(found.flatMap(({ by }) => (by === undefined || by === me.by ? [] : [by])))];
}

/**
 * Records to write so that `me` owns `items`, under its name of now; those already owned need nothing. First write of
 * `before` wins.
 */
export function claims(
  items: readonly Item[],
  owners: Owners,
  me: Self,
  found: (item: Item) => Json,
): OwnerRecord[] {
  const { stack, urn, by } = me;
  const self: Claimant = by === undefined ? { stack, urn } : { stack, urn, by };
  return items.flatMap((item) => {
    const record = owners.get(item.name);
    if (!record) return [{ item: item.name, owners: [self], before: found(item) }];
    const others = record.owners.filter((owner) => !past(owner, me));
    const known = record.owners.some((owner) => same(owner, me));
    if (known && others.length === record.owners.length) return [];
    return [{ ...record, owners: [...others.filter((owner) => !same(owner, me)), self] }];
  });
}

/** Records to write so that `me` no longer owns `items`; those it does not own need nothing. */
export function releases(items: readonly Item[], owners: Owners, me: Self): OwnerRecord[] {
  return items.flatMap((item) => {
    const record = owners.get(item.name);
    if (!record?.owners.some((owner) => mine(owner, me))) return [];
    return [{ ...record, owners: record.owners.filter((owner) => !mine(owner, me)) }];
  });
}

/**
 * Whether `me` is the only owner, so that the item itself is to go. One without a record is nobody's: a record is written
 * before an item is touched and goes after the item was put back, and a run that died in between may not know that yet.
 */
export function onlyOwner(item: Item, owners: Owners, me: Self): boolean {
  return owners.get(item.name)?.owners.every((owner) => mine(owner, me)) ?? false;
}
