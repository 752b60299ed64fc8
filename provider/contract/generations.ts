import { sh } from "#transport/command.ts";
import { stopLong } from "./linux-steps.ts";
import { run, type Step } from "./step.ts";

// A thing that is brought in generations (a download, a build): another content is made beside the one in use
// before anything moves to it, so each generation is a resource of its own and lies in a folder of its own.

/** A generation beside the one that a resource stands for. */
type Generation = {
  /** On disk. */
  readonly bytes: number;
  /** Whether some resource owns it. */
  readonly used: boolean;
};

/** By the name of their folder. */
export type Generations = Readonly<Record<string, Generation>>;

/** The generations beside this one. @param itemOf how one is called in the owners record */
export const generationsBeside = (
  bytes: ReadonlyMap<string, number>,
  owned: ReadonlySet<string>,
  itemOf: (generation: string) => string,
): Generations =>
  Object.fromEntries(
    [...bytes].map(([name, bytes]) => [name, { bytes, used: owned.has(itemOf(name)) }] as const),
  );

/** A generation that leaves the configuration, as it is on the host. */
export interface Leaving {
  readonly generation: string;
  /** Whether its folder is there, and not only what was begun. */
  readonly placed: boolean;
  readonly others: Generations;
}

/**
 * What goes with a generation that leaves. Another one in use makes it the previous, which stays until the
 * next change; older ones go. With the last one in use all of them go, and the work under way.
 */
export function generationsToRemove({ generation, placed, others }: Leaving): {
  readonly isLast: boolean;
  readonly remove: readonly string[];
} {
  const isLast = !Object.values(others).some(({ used }) => used);
  const unused = Object.keys(others).filter((name) => !others[name]?.used);
  return { isLast, remove: isLast || !placed ? [...unused, generation] : unused };
}

/** Where generations lie on a Linux host, and what brings them. */
export interface GenerationPlaces {
  /** Name of the long step that brings one. */
  readonly work: string;
  /** All folders and files of one generation. */
  readonly pathsOf: (generation: string) => readonly string[];
  /** Folders that go once they are empty, with the empty ones above them. */
  readonly parents: readonly string[];
  /** What is removed, in the operator's words. */
  readonly title: (generations: readonly string[]) => string;
}

/** Steps on a Linux host for a generation that leaves. */
export function* removeGenerations(leaving: Leaving, places: GenerationPlaces): Generator<Step> {
  const { isLast, remove } = generationsToRemove(leaving);
  if (isLast) yield stopLong(places.work);
  if (remove.length === 0) return;
  yield run(
    sh`rm -rf -- ${remove.flatMap(places.pathsOf)}
for d in ${places.parents}; do rmdir -p --ignore-fail-on-non-empty -- "$d" 2>/dev/null; done; true`,
    { title: `remove ${places.title(remove)}` },
  );
}
