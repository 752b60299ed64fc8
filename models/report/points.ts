/** A measured point: one device's memory as an engine or its driver told it, or a refusal. */
export interface Point {
  readonly engine: string;
  readonly version: string;
  readonly model: string;
  readonly quantization: string;
  readonly context: number;
  /** Slots, split and further options, in words. */
  readonly setup: string;
  readonly gpu: string;
  readonly weightsMiB: number | undefined;
  /** Keys and values; with the recurrent state where the quote says so. */
  readonly cacheMiB: number | undefined;
  readonly cacheTokens: number | undefined;
  /** What the driver shows beyond weights and cache, or the compute buffer alone. */
  readonly overheadMiB: number | undefined;
  /** Whether `overheadMiB` is the driver's figure. */
  readonly byDriver: boolean;
  readonly fits: boolean;
  readonly source: string;
  readonly quote: string;
}

/** Reads the points' file (`data/vram-points.csv`: comma-separated, quoted where a comma is inside). */
export function parsePoints(csv: string): readonly Point[] {
  const [head = [], ...rows] = csv.split(/\r?\n/).filter(Boolean).map(cellsOf);
  return rows.map((cells) =>
    pointOf(Object.fromEntries(head.map((name, index) => [name, cells[index] ?? ""]))),
  );
}

function pointOf(row: Readonly<Record<string, string>>): Point {
  const text = (name: string) => row[name] ?? "";
  const number = (name: string) => (text(name) === "" ? undefined : Number(text(name)));
  const mib = (name: string) => {
    const gib = number(name);
    return gib === undefined ? undefined : gib * 1024;
  };
  const quote = text("quote");
  return {
    engine: text("engine"),
    version: text("version"),
    model: text("model"),
    quantization: text("quant"),
    context: Number(text("context")),
    setup: text("parallel"),
    gpu: text("gpu"),
    weightsMiB: mib("weights_gib"),
    cacheMiB: mib("kv_gib"),
    cacheTokens: number("kv_tokens"),
    overheadMiB: mib("overhead_gib"),
    byDriver: /\bvram/.test(quote),
    fits: !/DOES NOT FIT/.test(quote),
    source: text("source"),
    quote,
  };
}

function cellsOf(line: string): string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .slice(0, -1)
    .map(([, cell = ""]) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell));
}
