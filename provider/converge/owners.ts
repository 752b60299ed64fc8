import type { Item, Json } from "#provider/contract/resource.ts";
import { groundOf } from "#provider/ground/ground-of.ts";
import type { Claimant, OwnerRecord, Owners } from "#provider/ground/owner-record.ts";
import type { Host } from "#transport/host.ts";

/** The claimant of now, and which other owners in the records are itself. */
export interface Self extends Claimant {
  /** The name of its last claim: the stack was renamed since, or the resource got another parent. */
  readonly formerly?: Claimant | undefined;
  /** Stacks that are no more, whose items it inherits: `hosts.<name>.takeOver`. */
  readonly inherits?: readonly string[];
}

/** The claimant that a URN (`urn:pulumi:<stack>::<project>::<types>::<name>`) speaks for. */
export function claimantOf(urn: string): Claimant {
  const [stack, project] = urn.replace(/^urn:pulumi:/, "").split("::");
  return { stack: `${project}/${stack}`, urn };
}

/** What the machine remembers of these items. */
export async function readOwners(host: Host, items: readonly Item[]): Promise<Owners> {
  return items.length === 0
    ? new Map()
    : await host.ask(groundOf(host).readOwners(items.map(({ name }) => name)));
}

const isSameClaimant = (a: Claimant, b: Claimant) => a.stack === b.stack && a.urn === b.urn;

/** Whether an owner is me under a name that I no longer have. */
const isFormerSelf = (owner: Claimant, { formerly, inherits = [] }: Self) =>
  (formerly !== undefined && isSameClaimant(owner, formerly)) || inherits.includes(owner.stack);

const isSelf = (owner: Claimant, me: Self) => isSameClaimant(owner, me) || isFormerSelf(owner, me);

/** The other stack that keeps us from an item, if there is one. */
export function conflictingOwner(item: Item, owners: Owners, me: Self): Claimant | undefined {
  if (item.shared) return undefined;
  return owners.get(item.name)?.owners.find((owner) => owner.stack !== me.stack && !isSelf(owner, me));
}

/**
 * The owner of an item that the state takes for ours and the machine for others' alone: it may neither be
 * removed nor forgotten without a word. A shared one simply stays theirs.
 */
export function strangeOwner(item: Item, owners: Owners, me: Self): Claimant | undefined {
  const all = owners.get(item.name)?.owners ?? [];
  const known = all.some((owner) => isSelf(owner, me) || owner.stack === me.stack);
  return item.shared || known ? undefined : all[0];
}

/**
 * Who else, by the machine's record, has claimed items under our very name; for a resource that our state
 * does not know.
 */
export function namesakes(items: readonly Item[], owners: Owners, me: Self): readonly string[] {
  const found = items.flatMap(
    ({ name }) => owners.get(name)?.owners.filter((owner) => isSameClaimant(owner, me)) ?? [],
  );
  return [...new Set(found.flatMap(({ by }) => (by === undefined || by === me.by ? [] : [by])))];
}

/**
 * Records to write so that `me` owns `items`, under its name of now; those already owned need nothing. First
 * write of `before` wins.
 */
export function claims(
  items: readonly Item[],
  owners: Owners,
  me: Self,
  valueNow: (item: Item) => Json,
): OwnerRecord[] {
  const { stack, urn, by } = me;
  const self: Claimant = by === undefined ? { stack, urn } : { stack, urn, by };
  return items.flatMap((item) => {
    const record = owners.get(item.name);
    if (!record) return [{ item: item.name, owners: [self], before: valueNow(item) }];
    const others = record.owners.filter((owner) => !isFormerSelf(owner, me));
    const known = record.owners.some((owner) => isSameClaimant(owner, me));
    if (known && others.length === record.owners.length) return [];
    return [{ ...record, owners: [...others.filter((owner) => !isSameClaimant(owner, me)), self] }];
  });
}

/** Records to write so that `me` no longer owns `items`; those it does not own need nothing. */
export function releases(items: readonly Item[], owners: Owners, me: Self): OwnerRecord[] {
  return items.flatMap((item) => {
    const record = owners.get(item.name);
    if (!record?.owners.some((owner) => isSelf(owner, me))) return [];
    return [{ ...record, owners: record.owners.filter((owner) => !isSelf(owner, me)) }];
  });
}

/**
 * Whether `me` is the only owner, so that the item itself is to go. One without a record is nobody's: a
 * record is written before an item is touched and goes after the item was put back, and a run that died in
 * between may not know that yet.
 */
export function isOnlyOwner(item: Item, owners: Owners, me: Self): boolean {
  return owners.get(item.name)?.owners.every((owner) => isSelf(owner, me)) ?? false;
}
