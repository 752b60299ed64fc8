import { createHash } from "node:crypto";
import type { Json } from "#provider/contract/resource.ts";

/** Who claims an item: a resource (URN) of a stack (`project/stack`). */
export interface Claimant {
  readonly stack: string;
  readonly urn: string;
  /** Who ran the claim, `user@machine`: tells two operators' stacks of one name apart. */
  readonly by?: string | undefined;
}

/**
 * What the machine itself remembers of one item, so that the last owner to leave puts back what was before.
 */
export interface OwnerRecord {
  readonly item: string;
  readonly owners: readonly Claimant[];
  /** What stood there before gpu-hosts first touched it; null: nothing. */
  readonly before: Json;
}

/** Records by the names of their items. */
export type Owners = ReadonlyMap<string, OwnerRecord>;

/** Name of the file that holds the record of an item, the same on every system. */
export const recordFile = (item: string): string =>
  `${createHash("sha256").update(item).digest("hex").slice(0, 32)}.json`;
