import { setTimeout as sleep } from "node:timers/promises";
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
import { run, type Step } from "#provider/contract/step.ts";
import type { Host } from "#transport/host.ts";
import { compare, valueAt, withoutItems } from "./compare.ts";
import { type Performing, StepError } from "./failure.ts";
import {
  claims,
  conflict,
  namesakes,
  type OwnerRecord,
  type Owners,
  onlyOwner,
  readOwners,
  releases,
  type Self,
  stranger,
  writeOwners,
} from "./owners.ts";
import { perform } from "./perform.ts";

/** One resource to bring about, with everything that is known of it. Wants are parsed inputs without `host`. */
export interface Subject {
  readonly definition: AnyDefinition;
  readonly claimant: Self;
  readonly want: Config;
  /** What was applied last; absent on create. */
  readonly last?: Config | undefined;
}

/** How to act; the host, the voice and the brake. */
export type Acting = Performing & {
  /** Who holds the machine's lock, for others to read. */
  readonly holder: string;
};

export interface Plan {
  readonly changes: readonly Change[];
  /** Steps of the first round. */
  readonly steps: readonly Step[];
  /** Items that stand on the host already and belong to nobody yet. */
  readonly adopted: readonly Item[];
  /** On create: who, beside us, has claimed the same items under the same names. */
  readonly namesakes: readonly string[];
}

export interface Converged extends Plan {
  readonly observation: Observation<Config>;
}

/** An item belongs to another stack. */
class OwnedError extends Error {
  override name = "OwnedError";
}

const rounds = 5;
const settleSeconds = 30;

/** Observes, and asks again for a while when something is still coming up. */
export async function observe(
  definition: AnyDefinition,
  host: Host,
  want: Config,
  last: Config | undefined,
): Promise<Observation<Config> | undefined> {
  const deadline = Date.now() + settleSeconds * 1000;
  for (;;) {
    const seen = await definition.observe(host, want, last);
    if (!seen?.settling || Date.now() > deadline) return seen;
    await sleep(1000);
  }
}

interface Situation {
  /** What was seen, less what is none of our business any more. */
  readonly have: Observation<Config> | undefined;
  readonly owners: Owners;
  /** Items of `last` that are no longer wanted. */
  readonly dropped: readonly Item[];
  readonly changes: readonly Change[];
  readonly context: Context<Config>;
}

const itemsOf = (definition: AnyDefinition, config: Config | undefined): readonly Item[] =>
  config ? definition.items(config) : [];

function droppedItems({ definition, want, last }: Subject): readonly Item[] {
  const wanted = new Set(itemsOf(definition, want).map((item) => item.name));
  return itemsOf(definition, last).filter((item) => !wanted.has(item.name));
}

/** Items that others own as well are none of our business any more: they neither differ nor are undone. */
function restrict(definition: AnyDefinition, have: Observation<Config> | undefined, gone: readonly Item[]) {
  if (!have || gone.length === 0) return have;
  const config = withoutItems(definition, have.config, new Set(gone.map((item) => item.name)));
  return config && { ...have, config };
}

const contextOf = (owners: Owners, last: Config | undefined): Context<Config> => ({
  last,
  before: (item) => owners.get(item)?.before ?? undefined,
});

function assess(subject: Subject, seen: Observation<Config> | undefined, owners: Owners): Situation {
  const { definition, claimant, want, last } = subject;
  const dropped = droppedItems(subject);
  const kept = dropped.filter((item) => !onlyOwner(item, owners, claimant));
  const have = restrict(definition, seen, kept);
  const changes = settled(definition, compare(definition, want, have?.config), owners, dropped);
  return { have, owners, dropped, changes, context: contextOf(owners, last) };
}

const see = ({ definition, want, last }: Subject, host: Host) => observe(definition, host, want, last);

const recordedItems = (subject: Subject): readonly Item[] => [
  ...itemsOf(subject.definition, subject.want),
  ...droppedItems(subject),
];

/** A dropped item for which the earlier state was put back still stands there, and that is right. */
function settled(
  definition: AnyDefinition,
  changes: readonly Change[],
  owners: Owners,
  dropped: readonly Item[],
): readonly Change[] {
  const same = (before: Json, have: unknown) => JSON.stringify(before) === JSON.stringify(have);
  const restored = ({ kind, path, have }: Change) =>
    kind === "delete" &&
    dropped.some((item) => {
      const before = owners.get(item.name)?.before ?? null;
      return (
        pathText(item.path) === pathText(path) &&
        before !== null &&
        (definition.restored ?? same)(before, have)
      );
    });
  return changes.filter((change) => !restored(change));
}

function refuseForeign({ definition, claimant, want }: Subject, owners: Owners): void {
  for (const item of itemsOf(definition, want)) {
    const owner = conflict(item, owners, claimant);
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

function refuseStrange(items: readonly Item[], owners: Owners, me: Self): void {
  for (const item of items) {
    const owner = stranger(item, owners, me);
    if (!owner) continue;
    throw new OwnedError(
      `${item.name} is ours by the state, yet the machine has it as that of stack ${owner.stack} (${owner.urn}).\n` +
        "  Nothing of this resource was removed. If that is the former name of this stack, write\n" +
        `  \`takeOver: [${owner.stack}]\` for the machine and run this again. If it is theirs by now, let this stack forget it:\n` +
        `  pulumi state delete '${me.urn}'`,
    );
  }
}

const found =
  (have: Observation<Config> | undefined) =>
  (item: Item): Json =>
    (valueAt(have?.config, item.path) as Json | undefined) ?? null;

const adoptable = (subject: Subject, { have, owners }: Situation): readonly Item[] =>
  itemsOf(subject.definition, subject.want).filter(
    (item) => !owners.has(item.name) && found(have)(item) !== null,
  );

const othersOf = ({ definition, claimant, want, last }: Subject, owners: Owners): readonly string[] =>
  last === undefined ? namesakes(itemsOf(definition, want), owners, claimant) : [];

/** What `converge` would do, without doing it. Rejects on an item of another stack. */
export async function plan(subject: Subject, host: Host): Promise<Plan> {
  const [seen, owners] = await Promise.all([see(subject, host), readOwners(host, recordedItems(subject))]);
  refuseForeign(subject, owners);
  const now = assess(subject, seen, owners);
  return {
    changes: now.changes,
    steps: now.changes.length === 0 ? [] : [...subject.definition.apply(subject.want, now.have, now.context)],
    adopted: adoptable(subject, now),
    namesakes: othersOf(subject, owners),
  };
}

const firstRound = (steps: readonly Step[]): readonly Step[] => {
  const again = steps.findIndex((step) => step.kind === "again");
  return again === -1 ? steps : steps.slice(0, again + 1);
};

function list(changes: readonly Change[], mask: (text: string) => string): string {
  return changes
    .map(({ path, kind, want, have }) => {
      const text = (value: unknown) => mask(JSON.stringify(value) ?? "absent").slice(0, 200);
      return `  ${pathText(path) || "all of it"} (${kind}): wanted ${text(want)}, is ${text(have)}`;
    })
    .join("\n");
}

/**
 * Changes the owners record of some items. It is read afresh, and by one resource of a host at a time: they come and go side
 * by side, and the last owner of a shared item must know that it is the last.
 */
async function updateOwners(
  acting: Acting,
  items: readonly Item[],
  change: (owners: Owners) => readonly OwnerRecord[],
): Promise<Owners> {
  const { machine } = acting;
  return await machine.gate.inTurn("owners", async () => {
    const owners = await readOwners(machine, items);
    const records = change(owners);
    if (records.length === 0) return owners;
    const [first, ...others] = records.map((record) => record.item);
    const title = `note the owners of ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;
    const { command, stdin } = writeOwners(records);
    await perform([run(command, { stdin, title })], acting);
    return new Map([...owners, ...records.map((record) => [record.item, record] as const)]);
  });
}

/** Observes, claims, performs, and observes again: returns only when the host is as wanted. */
export async function converge(subject: Subject, acting: Acting): Promise<Converged> {
  const { definition, claimant, want } = subject;
  const { machine } = acting;
  // Before the first look: what another run is changing now would be overwritten with what we saw.
  await machine.lock(acting.holder);
  const wanted = itemsOf(definition, want);
  const dropped = droppedItems(subject);
  const seen = await see(subject, machine);
  let adopted: readonly Item[] = [];
  let others: readonly string[] = [];
  const owners = await updateOwners(acting, recordedItems(subject), (present) => {
    refuseForeign(subject, present);
    adopted = adoptable(subject, assess(subject, seen, present));
    others = othersOf(subject, present);
    const shared = dropped.filter((item) => !onlyOwner(item, present, claimant));
    return [...claims(wanted, present, claimant, found(seen)), ...releases(shared, present, claimant)];
  });
  const first = assess(subject, seen, owners);
  let now = first;
  const performed: Step[] = [];
  for (let round = 1; now.changes.length > 0; round++) {
    const steps = firstRound([...definition.apply(want, now.have, now.context)]);
    if (steps.length === 0)
      throw new StepError(`no step leads to what is wanted:\n${list(now.changes, acting.mask)}`);
    const end = await perform(steps, acting);
    performed.push(...steps);
    const next = assess(subject, await see(subject, machine), owners);
    const stuck =
      end === "done" || round === rounds || JSON.stringify(next.changes) === JSON.stringify(now.changes);
    now = next;
    if (now.changes.length > 0 && stuck) {
      throw new StepError(
        `all steps went through, yet the host still differs:\n${list(now.changes, acting.mask)}`,
      );
    }
  }
  if (dropped.length > 0)
    await updateOwners(acting, dropped, (present) => releases(dropped, present, claimant));
  return {
    observation: now.have ?? { config: {} },
    changes: first.changes,
    steps: performed,
    adopted,
    namesakes: others,
  };
}

/** Takes a resource off its host: what only it owned goes, and what stood there before comes back. */
export async function dismantle(
  subject: { definition: AnyDefinition; claimant: Self; last: Config },
  acting: Acting,
): Promise<void> {
  const { definition, claimant, last } = subject;
  const { machine } = acting;
  await machine.lock(acting.holder);
  const items = itemsOf(definition, last);
  const others = (owners: Owners) => items.filter((item) => !onlyOwner(item, owners, claimant));
  const owners = await updateOwners(acting, items, (present) => {
    refuseStrange(items, present, claimant);
    return releases(others(present), present, claimant);
  });
  const have = restrict(definition, await observe(definition, machine, last, last), others(owners));
  if (have) await perform([...definition.remove(have, contextOf(owners, last))], acting);
  await updateOwners(acting, items, (present) => releases(items, present, claimant));
}
