import { pathText } from "#inventory/problems.ts";
import type {
  AnyDefinition,
  Change,
  Config,
  Context,
  Item,
  Json,
  Observation,
} from "#provider/contract/resource.ts";
import type { Owners } from "#provider/ground/owner-record.ts";
import { compare, valueAt, withoutItems } from "./compare.ts";
import { isOnlyOwner } from "./owners.ts";
import { droppedItems, type Target, wantedItems } from "./target.ts";

/** How a host stands to what is wanted of it. */
export interface Situation {
  /** What was seen, less what is none of our business any more. */
  readonly have: Observation<Config> | undefined;
  readonly changes: readonly Change[];
  readonly context: Context<Config>;
}

/** Judges what was seen by what is wanted and by who owns it. */
export function assessSituation(
  target: Target,
  seen: Observation<Config> | undefined,
  owners: Owners,
): Situation {
  const { definition, claimant, want, last } = target;
  const dropped = droppedItems(target);
  const othersToo = dropped.filter((item) => !isOnlyOwner(item, owners, claimant));
  const have = disregardItems(definition, seen, othersToo);
  const changes = withoutRestored(definition, compare(want, have), owners, dropped);
  return { have, changes, context: contextOf(owners, last) };
}

/** What was seen, less some items: those that others own as well neither differ nor are undone. */
export function disregardItems(
  definition: AnyDefinition,
  seen: Observation<Config> | undefined,
  items: readonly Item[],
): Observation<Config> | undefined {
  if (!seen || items.length === 0) return seen;
  const config = withoutItems(definition, seen.config, new Set(items.map((item) => item.name)));
  return config && { ...seen, config };
}

/** A dropped item for which the earlier state was put back still stands there, and that is right. */
function withoutRestored(
  definition: AnyDefinition,
  changes: readonly Change[],
  owners: Owners,
  dropped: readonly Item[],
): readonly Change[] {
  const same = (before: Json, have: unknown) => JSON.stringify(before) === JSON.stringify(have);
  const isRestored = ({ kind, path, have }: Change) =>
    kind === "delete" &&
    dropped.some((item) => {
      const before = owners.get(item.name)?.before ?? null;
      return (
        pathText(item.path) === pathText(path) &&
        before !== null &&
        (definition.restored ?? same)(before, have)
      );
    });
  return changes.filter((change) => !isRestored(change));
}

export const contextOf = (owners: Owners, last: Config | undefined): Context<Config> => ({
  last,
  before: (item) => owners.get(item)?.before ?? undefined,
});

/** What stands on the host where an item is to stand; null: nothing. */
export function itemValue(seen: Observation<Config> | undefined, item: Item): Json {
  const original = seen?.originals?.[item.name];
  const value = original === undefined ? valueAt(seen?.config, item.path) : original;
  return (value as Json | undefined) ?? null;
}

/** Wanted items that stand on the host already and belong to nobody yet. */
export const adoptableItems = (
  target: Target,
  have: Observation<Config> | undefined,
  owners: Owners,
): readonly Item[] =>
  wantedItems(target).filter((item) => !owners.has(item.name) && itemValue(have, item) !== null);
