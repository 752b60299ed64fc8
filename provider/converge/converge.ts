import { setTimeout as sleep } from "node:timers/promises";
import { pathText } from "#inventory/problems.ts";
import type { AnyDefinition, Change, Config, Item, Observation } from "#provider/contract/resource.ts";
import type { Step } from "#provider/contract/step.ts";
import type { Owners } from "#provider/ground/owner-record.ts";
import type { Host } from "#transport/host.ts";
import { changeLines, hasSigns, legend, maskValue } from "./change-text.ts";
import { claimItems, namesakesOf, refuseItemsOfOthers, releaseItems, releaseSharedItems } from "./claim.ts";
import { Interrupted, type Performing, StepError } from "./failure.ts";
import { isOnlyOwner, readOwners, type Self } from "./owners.ts";
import { perform } from "./perform.ts";
import { adoptableItems, assessSituation, contextOf, disregardItems, type Situation } from "./situation.ts";
import { allItems, droppedItems, type Target } from "./target.ts";

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

const mostRounds = 5;
/** Where something is about to be changed, or was just now, what is on its way is worth waiting for. */
const settleSeconds = 30;
/** One that only looks says what is on its way, and does not wait for it. */
const glanceSeconds = 2;

/** How closely one looks, and for how long again while something is still on its way. */
interface Looking {
  /** @default 2 */
  readonly seconds?: number;
  /** Also compares contents whose comparison takes minutes. @default false */
  readonly deep?: boolean;
  /** Told before each further look; rejects to end the waiting. */
  onSettling?(what: string): Promise<void>;
}

/** Observes, and asks again when something is still on its way: for a moment, unless more is asked for. */
export async function observe(
  definition: AnyDefinition,
  host: Host,
  want: Config,
  last: Config | undefined,
  { seconds = glanceSeconds, onSettling, deep = false }: Looking = {},
): Promise<Observation<Config> | undefined> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await definition.observe(host, want, last, deep);
    if (seen?.settling === undefined || Date.now() > deadline) return seen;
    await onSettling?.(seen.settling);
    await sleep(1000);
  }
}

/** Observes what is about to be changed, or was just now. */
const observeSettled = ({ definition, want, last }: Target, { machine, mask, report, signal }: Acting) =>
  observe(definition, machine, want, last, {
    seconds: settleSeconds,
    async onSettling(what) {
      if (signal.aborted) throw new Interrupted(`stopped by Ctrl-C; ${mask(what)}`);
      await report(mask(what));
    },
  });

/** What `converge` would do, without doing it. Rejects on an item of another stack. */
export async function plan(target: Target, host: Host): Promise<Plan> {
  const { definition, want, last } = target;
  const [seen, owners] = await Promise.all([
    observe(definition, host, want, last),
    readOwners(host, allItems(target)),
  ]);
  refuseItemsOfOthers(target, owners);
  const { have, changes, context } = assessSituation(target, seen, owners);
  return {
    changes,
    steps: changes.length === 0 ? [] : [...definition.apply(want, have, context)],
    adopted: adoptableItems(target, have, owners),
    namesakes: namesakesOf(target, owners),
  };
}

/** Observes, claims, performs, and observes again: returns only when the host is as wanted. */
export async function converge(target: Target, acting: Acting): Promise<Converged> {
  const { machine, holder } = acting;
  // Before the first look: what another run is changing now would be overwritten with what we saw.
  await machine.lock(holder);
  const seen = await observeSettled(target, acting);
  const { owners, adopted, namesakes } = await claimItems(target, seen, acting);
  const first = assessSituation(target, seen, owners);
  const { situation, steps } = await performRounds(target, first, owners, acting);
  await releaseItems(droppedItems(target), target.claimant, acting);
  const observation = situation.have ?? { config: {} };
  return { observation, changes: first.changes, steps, adopted, namesakes };
}

/** Performs steps and looks anew until nothing differs; rejects when that leads nowhere. */
async function performRounds(target: Target, first: Situation, owners: Owners, acting: Acting) {
  const { definition, want } = target;
  const performed: Step[] = [];
  let now = first;
  for (let round = 1; now.changes.length > 0; round++) {
    const steps = stepsOfRound([...definition.apply(want, now.have, now.context)]);
    if (steps.length === 0)
      throw new StepError(`no step leads to what is wanted:\n${changesText(now.changes, acting.mask)}`);
    const end = await perform(steps, acting);
    performed.push(...steps);
    const next = assessSituation(target, await observeSettled(target, acting), owners);
    const isLast =
      end === "done" || round === mostRounds || JSON.stringify(next.changes) === JSON.stringify(now.changes);
    now = next;
    if (now.changes.length > 0 && isLast) {
      throw new StepError(
        `all steps went through, yet the host still differs:\n${changesText(now.changes, acting.mask)}`,
      );
    }
  }
  return { situation: now, steps: performed };
}

/** Steps up to the first `again`. */
const stepsOfRound = (steps: readonly Step[]): readonly Step[] => {
  const again = steps.findIndex((step) => step.kind === "again");
  return again === -1 ? steps : steps.slice(0, again + 1);
};

function changesText(changes: readonly Change[], mask: (text: string) => string): string {
  const shown = changes.map(({ path, kind, want, have, text }) => ({
    path: pathText(path),
    kind,
    want: maskValue(want, mask),
    have: maskValue(have, mask),
    text: text && mask(text),
  }));
  const lines = shown.flatMap(changeLines);
  return (hasSigns(lines) ? [...lines, legend] : lines).map((line) => `  ${line}`).join("\n");
}

/** Takes a resource off its host: what only it owned goes, and what stood there before comes back. */
export async function dismantle(
  { definition, claimant, last }: { definition: AnyDefinition; claimant: Self; last: Config },
  acting: Acting,
): Promise<void> {
  const { machine, holder } = acting;
  await machine.lock(holder);
  const items = definition.items(last);
  const owners = await releaseSharedItems(items, claimant, acting);
  const othersToo = items.filter((item) => !isOnlyOwner(item, owners, claimant));
  const have = disregardItems(definition, await observe(definition, machine, last, last), othersToo);
  if (have) await perform([...definition.remove(have, contextOf(owners, last))], acting);
  await releaseItems(items, claimant, acting);
}
