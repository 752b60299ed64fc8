import type { AnyDefinition, Config, Item } from "#provider/contract/resource.ts";
import type { Self } from "./owners.ts";

/**
 * One resource to bring about, with everything that is known of it. Wants are parsed inputs without `host`.
 */
export interface Target {
  readonly definition: AnyDefinition;
  readonly claimant: Self;
  readonly want: Config;
  /** What was applied last; absent on create. */
  readonly last?: Config | undefined;
}

export const wantedItems = ({ definition, want }: Pick<Target, "definition" | "want">): readonly Item[] =>
  definition.items(want);

/** Items that were applied last and are no longer wanted. */
export function droppedItems({ definition, want, last }: Target): readonly Item[] {
  const wanted = new Set(wantedItems({ definition, want }).map((item) => item.name));
  return last ? definition.items(last).filter((item) => !wanted.has(item.name)) : [];
}

export const allItems = (target: Target): readonly Item[] => [
  ...wantedItems(target),
  ...droppedItems(target),
];
