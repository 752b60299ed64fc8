/** Something that is timed, or counted, a number of times. */
export interface Case {
  readonly name: string;
  /** Does it once; resolves with what is to be recorded instead of the seconds that it took. */
  run(): Promise<number | undefined>;
}

/** What several runs of one case gave: seconds, unless the case recorded something else. */
export interface Measured {
  readonly name: string;
  readonly runs: readonly number[];
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[sorted.length % 2 ? middle : middle - 1],
    sorted[middle],
  ];
  return (low + high) / 2;
}

/**
 * Runs all cases in turn, `rounds` times over, after one turn that is not recorded: what slows this machine down for a while
 * then meets all of them alike.
 */
export async function interleaved(
  cases: readonly Case[],
  rounds: number,
  say: (line: string) => void,
): Promise<Measured[]> {
  const runs = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1)
    for (const { name, run } of cases) {
      const start = performance.now();
      const recorded = (await run()) ?? (performance.now() - start) / 1000;
      say(`${round === 0 ? "warming up" : `run ${round}`}: ${name}: ${recorded.toFixed(3)}`);
      if (round > 0) runs.get(name)?.push(recorded);
    }
  return [...runs].map(([name, values]) => ({
    name,
    runs: values,
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
  }));
}
