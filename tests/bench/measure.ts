/** Something that is timed a number of times. */
export interface Case {
  readonly name: string;
  /** Done before each run and not timed. */
  prepare?(): Promise<void>;
  /** Does it once; rejects if it did not do all of it. */
  run(): Promise<unknown>;
}

/** Seconds that the runs of one case took. */
export interface Measured {
  readonly name: string;
  readonly runs: readonly number[];
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Seconds that something took. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const summarized = (name: string, runs: readonly number[]): Measured => ({
  name,
  runs,
  median: median(runs),
  least: Math.min(...runs),
  most: Math.max(...runs),
});

/**
 * Runs all cases in turn, `rounds` times over, after one turn that is not recorded: what slows this machine
 * down for a while then meets all of them alike.
 */
export async function interleaved(
  cases: readonly Case[],
  rounds: number,
  say: (line: string) => void,
): Promise<Measured[]> {
  const runs = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1)
    for (const one of cases) {
      await one.prepare?.();
      const took = await seconds(() => one.run());
      say(`${round === 0 ? "warming up" : `run ${round} of ${rounds}`}: ${one.name}: ${took.toFixed(3)} s`);
      if (round > 0) runs.get(one.name)?.push(took);
    }
  return [...runs].map(([name, values]) => summarized(name, values));
}
