import type { Config, Item, Observation } from "#provider/contract/resource.ts";
import { run } from "#provider/contract/step.ts";
import { groundOf } from "#provider/ground/ground-of.ts";
import type { OwnerRecord, Owners } from "#provider/ground/owner-record.ts";
import type { Performing } from "./failure.ts";
import {
  claims,
  conflictingOwner,
  isOnlyOwner,
  namesakes,
  readOwners,
  releases,
  type Self,
  strangeOwner,
} from "./owners.ts";
import { perform } from "./perform.ts";
import { adoptableItems, assessSituation, itemValue } from "./situation.ts";
import { allItems, droppedItems, type Target, wantedItems } from "./target.ts";

/** An item belongs to another stack. */
class OwnedError extends Error {
  override name = "OwnedError";
}

/** Rejects wants that another stack holds. */
export function refuseItemsOfOthers(target: Target, owners: Owners): void {
  for (const item of wantedItems(target)) {
    const owner = conflictingOwner(item, owners, target.claimant);
    if (!owner) continue;
    throw new OwnedError(
      `${item.name} belongs to stack ${owner.stack} (${owner.urn}).\n` +
        "  Two stacks may share a machine, not an item: take it out of one of them and run `up` there first. A service needs another\n" +
        "  name in one of them; for what is part of the base of a machine, write `base: false` for the machine in this stack.\n" +
        "  If that stack is no more (its state was lost, or it was removed without a destroy), inherit what is there:\n" +
        `  write \`takeOver: [${owner.stack}]\` for the machine.`,
    );
  }
}

/** Rejects the removal of what the state takes for ours and the machine for others'. */
function refuseStrangeOwners(items: readonly Item[], owners: Owners, me: Self): void {
  for (const item of items) {
    const owner = strangeOwner(item, owners, me);
    if (!owner) continue;
    throw new OwnedError(
      `${item.name} is ours by the state, yet the machine has it as that of stack ${owner.stack} (${owner.urn}).\n` +
        "  Nothing of this resource was removed. If that is the former name of this stack, write\n" +
        `  \`takeOver: [${owner.stack}]\` for the machine and run this again. If it is theirs by now, let this stack forget it:\n` +
        `  pulumi state delete '${me.urn}'`,
    );
  }
}

/** On create: who, beside us, has claimed the same items under the same names. */
export const namesakesOf = (target: Target, owners: Owners): readonly string[] =>
  target.last === undefined ? namesakes(wantedItems(target), owners, target.claimant) : [];

/**
 * Changes the owners record of some items; answers with the record before and after. It is read afresh, and
 * by one resource of a host at a time: they come and go side by side, and the last owner of a shared item
 * must know that it is the last.
 */
async function changeOwners(
  performing: Performing,
  items: readonly Item[],
  change: (owners: Owners) => readonly OwnerRecord[],
): Promise<{ before: Owners; after: Owners }> {
  const { machine } = performing;
  return await machine.gate.inTurn("owners", async () => {
    const before = await readOwners(machine, items);
    const records = change(before);
    if (records.length === 0) return { before, after: before };
    const [first, ...others] = records.map((record) => record.item);
    const title = `note the owners of ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;
    const { command, stdin } = groundOf(machine).writeOwners(records);
    await perform([run(command, { stdin, title })], performing);
    return {
      before,
      after: new Map([...before, ...records.map((record) => [record.item, record] as const)]),
    };
  });
}

/** What claiming the items of a target brought to light. */
interface Claimed {
  readonly owners: Owners;
  /** Items that stand on the host already and belonged to nobody. */
  readonly adopted: readonly Item[];
  readonly namesakes: readonly string[];
}

/**
 * Writes down that wanted items are ours, with what stood there, and leaves those no longer wanted to their
 * other owners.
 */
export async function claimItems(
  target: Target,
  seen: Observation<Config> | undefined,
  performing: Performing,
): Promise<Claimed> {
  const { claimant } = target;
  const { before, after } = await changeOwners(performing, allItems(target), (owners) => {
    refuseItemsOfOthers(target, owners);
    const shared = droppedItems(target).filter((item) => !isOnlyOwner(item, owners, claimant));
    return [
      ...claims(wantedItems(target), owners, claimant, (item) => itemValue(seen, item)),
      ...releases(shared, owners, claimant),
    ];
  });
  return {
    owners: after,
    adopted: adoptableItems(target, assessSituation(target, seen, before).have, before),
    namesakes: namesakesOf(target, before),
  };
}

/**
 * Leaves items that others own as well to them; answers with the record after that. Rejects on items that are
 * not ours at all.
 */
export async function releaseSharedItems(
  items: readonly Item[],
  claimant: Self,
  performing: Performing,
): Promise<Owners> {
  const { after } = await changeOwners(performing, items, (owners) => {
    refuseStrangeOwners(items, owners, claimant);
    return releases(
      items.filter((item) => !isOnlyOwner(item, owners, claimant)),
      owners,
      claimant,
    );
  });
  return after;
}

/** Writes down that items are no longer ours. */
export async function releaseItems(
  items: readonly Item[],
  claimant: Self,
  performing: Performing,
): Promise<void> {
  await changeOwners(performing, items, (owners) => releases(items, owners, claimant));
}
