import { type LlamaCppRow, llamaCppRow } from "#models/report/llamacpp-rows.ts";
import { configurations, peers, statistics } from "#models/report/peers.ts";
import type { Point } from "#models/report/points.ts";
import { type VllmRow, vllmRow } from "#models/report/vllm-rows.ts";

/** Points beside their estimates, and what the yardstick says of them. */
export interface Report {
  readonly llamaCpp: readonly LlamaCppRow[];
  readonly vllm: readonly VllmRow[];
  /** Points whose model or card is not described here. */
  readonly left: readonly Point[];
  readonly summary: Summary;
}

interface Summary {
  /** "Fits" where the engine refused. */
  readonly falseFits: readonly Point[];
  /** "Does not fit" where the engine ran. */
  readonly falseNos: readonly Point[];
  readonly judged: number;
  /** Predicted less measured of llama.cpp, MiB a device. */
  readonly llamaCppErrors: readonly number[];
  /**
   * Largest deviation of the cache, MiB; the points give it to 0.1 MiB, those of the fine search to 1 MiB.
   */
  readonly cacheErrorMiB: number;
  /** Cache that vLLM has left on plain models, predicted over logged, less 1. */
  readonly vllmErrors: readonly number[];
}

/** Estimates every point that names a model described in `known-models.ts`. */
export function reportOf(points: readonly Point[]): Report {
  const llamaCpp: LlamaCppRow[] = [];
  const vllm: VllmRow[] = [];
  const left: Point[] = [];
  for (const point of points) {
    const isVllm = /vllm/i.test(point.engine);
    const row = isVllm ? vllmRow(point, weightsOf(point, points)) : llamaCppRow(point);
    if (row === undefined) left.push(point);
    else if ("estimate" in row) vllm.push(row);
    else llamaCpp.push(row);
  }
  return { llamaCpp, vllm, left, summary: summaryOf(llamaCpp, vllm) };
}

/** A GPU's weights; where a point has none, those that another point of the model and quantization logged. */
function weightsOf(point: Point, points: readonly Point[]): number | undefined {
  if (point.weightsMiB !== undefined) return point.weightsMiB;
  const kind = (it: Point) => /MXFP4|bf16|Inferact/.exec(it.quantization)?.[0];
  const other = points.find(
    (it) =>
      it.weightsMiB !== undefined &&
      it.model === point.model &&
      kind(it) !== undefined &&
      kind(it) === kind(point),
  );
  const ranks = (it: Point) => Number(/tp(\d)/.exec(it.setup)?.[1] ?? 1);
  return other?.weightsMiB === undefined ? undefined : (other.weightsMiB * ranks(other)) / ranks(point);
}

const present = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined);

function summaryOf(llamaCpp: readonly LlamaCppRow[], vllm: readonly VllmRow[]): Summary {
  const verdicts = [
    ...llamaCpp.map(({ point, verdict }) => ({ point, verdict })),
    ...vllm.flatMap(({ point, estimate }) => (estimate ? [{ point, verdict: estimate.verdict }] : [])),
  ];
  const wrong = (fits: boolean) =>
    verdicts
      .filter(({ point, verdict }) => point.fits !== fits && verdict.startsWith("fits") === fits)
      .map(({ point }) => point);
  return {
    falseFits: wrong(true),
    falseNos: wrong(false),
    judged: verdicts.length,
    llamaCppErrors: present(llamaCpp.map(({ errorMiB }) => errorMiB)),
    cacheErrorMiB: Math.max(0, ...present(llamaCpp.map(({ cacheErrorMiB }) => cacheErrorMiB)).map(Math.abs)),
    vllmErrors: present(vllm.filter(({ plain }) => plain).map(({ cacheError }) => cacheError)),
  };
}

/** The report as Markdown. */
export function reportText(points: readonly Point[]): string {
  const report = reportOf(points);
  return [
    summaryText(report, points.length),
    "### llama.cpp, MiB a device",
    table(
      [
        "model",
        "cache type, context",
        "device",
        "weights",
        "cache",
        "state",
        "compute",
        "context",
        "predicted − measured",
        "verdict",
        "ran",
      ],
      report.llamaCpp.map(llamaCppCells),
    ),
    "### Rules of others on the same points",
    peersText(report.llamaCpp),
    "### vLLM, a GPU",
    table(
      [
        "model",
        "quantization",
        "length",
        "set-up",
        "cache left, MiB",
        "− logged",
        "tokens in the logged cache",
        "requests at once",
        "verdict",
        "ran",
      ],
      report.vllm.map(vllmCells),
    ),
    ...(report.left.length === 0
      ? []
      : [
          "### Not estimated here",
          report.left.map((point) => `- ${point.model}: ${leftReason(point)}`).join("\n"),
        ]),
  ].join("\n\n");
}

const leftReason = ({ engine }: Point) =>
  /vllm/i.test(engine)
    ? "its config.json is not among the described ones; an architecture like this is judged as an estimate"
    : "its header or its card is not among the described ones";

function summaryText({ summary, llamaCpp, vllm, left }: Report, count: number): string {
  const { falseFits, falseNos, judged, llamaCppErrors, vllmErrors, cacheErrorMiB } = summary;
  const names = (points: readonly Point[]) =>
    points.length === 0
      ? ""
      : ` (${points.map(({ model, context }) => `${model} at ${context}`).join("; ")})`;
  return [
    `${count} points: ${llamaCpp.length} of llama.cpp and its kin, ${vllm.length} of vLLM, ${left.length} not estimated. ${judged} verdicts.`,
    "",
    `- False "fits": ${falseFits.length}${names(falseFits)}. False "does not fit": ${falseNos.length} of ${judged}${names(falseNos)}.`,
    `- llama.cpp, predicted less measured a device: ${mib(Math.min(...llamaCppErrors))} to ${mib(Math.max(...llamaCppErrors))} MiB on ${llamaCppErrors.length} points.`,
    `- llama.cpp's cache: at most ${cacheErrorMiB.toFixed(2)} MiB off, which is what the logs were rounded by.`,
    `- vLLM's cache on plain models: ${percent(Math.min(...vllmErrors))} to ${percent(Math.max(...vllmErrors))} on ${vllmErrors.length} points.`,
  ].join("\n");
}

function llamaCppCells({ point, weights, need, errorMiB, verdict, settings }: LlamaCppRow): string[] {
  const term = (value: number | undefined) => (value === undefined ? "" : mib(value));
  return [
    shortName(point.model),
    `${settings.cacheTypeK}, ${point.context}`,
    point.setup,
    weights === "logged" ? "logged" : term(need?.weightsMiB),
    term(need?.cacheMiB),
    term(need?.stateMiB),
    term(need?.computeMiB),
    point.byDriver ? term(need?.contextMiB) : "not measured",
    errorMiB === undefined ? "" : signed(errorMiB),
    verdict.replaceAll("-", " "),
    point.fits ? "yes" : "refused",
  ];
}

function vllmCells({ point, hybrid, estimate, cacheError, tokenError }: VllmRow): string[] {
  return [
    shortName(point.model) + (hybrid ? " (hybrid: estimate)" : ""),
    point.quantization,
    String(point.context),
    point.setup,
    estimate === undefined ? "" : mib(estimate.devices[0]?.cacheMiB ?? 0),
    cacheError === undefined ? "" : percent(cacheError),
    tokenError === undefined ? "" : percent(tokenError),
    estimate === undefined ? "" : Math.max(0, estimate.concurrency).toFixed(2),
    estimate === undefined ? "weights or card not logged" : estimate.verdict.replaceAll("-", " "),
    point.fits ? "yes" : "refused",
  ];
}

function peersText(rows: readonly LlamaCppRow[]): string {
  const measured = configurations(rows);
  return [
    `${measured.length} configurations whose devices the driver measured, all devices of one together; predicted less measured, MiB.`,
    "",
    table(
      ["rule", "mean", "worst under (it runs out of memory)", "worst over", "median of the absolute"],
      peers.map(({ name, rule }) => {
        const { mean, least, most, median } = statistics(measured.map((it) => rule(it) - it.measuredMiB));
        return [name, signed(mean), signed(least), signed(most), mib(median)];
      }),
    ),
  ].join("\n");
}

const shortName = (name: string) =>
  name
    .replace(/ \(.*$/, "")
    .replace("Instruct", "")
    .replace(/-$/, "");
const mib = (value: number) => String(Math.round(value));
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(Math.round(value))}`;
const percent = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value * 100).toFixed(1)} %`;

/** A Markdown table whose columns are as wide as their widest cell, which is how the formatter wants it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], fill = " ") =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(" | ")} |`;
  return [
    line(head),
    line(
      head.map(() => "---"),
      "-",
    ),
    ...rows.map((row) => line(row)),
  ].join("\n");
}
