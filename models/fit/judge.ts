import type { ModelFacts } from "#models/facts.ts";
import { largestContext, smallerQuantization } from "#models/fit/advice.ts";
import { estimateLlamaCpp, type LlamaCppEstimate } from "#models/fit/llamacpp.ts";
import type { Device, LlamaCppSettings } from "#models/fit/settings.ts";
import { estimateVllm, type VllmEstimate, type VllmSettings } from "#models/fit/vllm.ts";

/** What would fit where the wanted does not. */
export interface Advice {
  /** Largest context, tokens (of all slots; of one request for vLLM). */
  readonly context?: number | undefined;
  /** Next smaller quantization with the wanted context, such as `Q3_K_M`. */
  readonly quantization?: string | undefined;
}

/** An estimate, in words too. */
export interface Judgement<E> {
  readonly estimate: E;
  /**
   * `refuse`: it cannot work; `warn`: tight, slower, or an estimate that says no; `pass`. What is not known well is never
   * refused.
   */
  readonly decision: "pass" | "warn" | "refuse";
  /** One line: verdict, numbers and what would fit. */
  readonly text: string;
  readonly advice: Advice;
}

// Below this a "fits" is worth a word: estimates are exact, but what else uses the GPU is not.
const tightMiB = 256;

/** Judges a llama.cpp service; see {@link estimateLlamaCpp}. */
export function judgeLlamaCpp(
  model: ModelFacts,
  settings: LlamaCppSettings,
  devices: readonly Device[],
  machineFreeMiB?: number,
): Judgement<LlamaCppEstimate> {
  const estimate = (of: ModelFacts, context: number) =>
    estimateLlamaCpp(of, { ...settings, context }, devices, machineFreeMiB);
  const works = ({ verdict }: LlamaCppEstimate) =>
    verdict === "fits" || verdict === "fits-without-pipelining";
  const found = estimate(model, settings.context);
  const step = 256 * settings.parallel;
  const advice =
    found.verdict === "does-not-fit"
      ? {
          context: largestContext(settings.context, (context) => works(estimate(model, context)), step),
          quantization: smallerQuantization(model, (of) => works(estimate(of, settings.context)))?.name,
        }
      : {};
  const needs = found.devices.map(({ device, totalMiB }) => ({ ...device, needMiB: totalMiB }));
  const machine = { name: "the machine's memory", freeMiB: machineFreeMiB, needMiB: found.machineMiB };
  const places = machineFreeMiB === undefined && devices.length > 0 ? needs : [...needs, machine];
  return judgement(found, places, advice);
}

/** Judges a vLLM service; see {@link estimateVllm}. */
export function judgeVllm(
  model: ModelFacts,
  settings: VllmSettings,
  devices: readonly Device[],
): Judgement<VllmEstimate> {
  const estimate = (maxModelLen: number) => estimateVllm(model, { ...settings, maxModelLen }, devices);
  const found = estimate(settings.maxModelLen);
  const advice =
    found.verdict === "does-not-fit"
      ? { context: largestContext(settings.maxModelLen, (length) => estimate(length).verdict === "fits") }
      : {};
  const places = found.devices.map((need) => ({
    name: need.device.name,
    freeMiB:
      need.device.totalMiB === undefined && need.device.freeMiB === undefined ? undefined : need.budgetMiB,
    needMiB: need.budgetMiB - need.cacheMiB + found.requestMiB,
  }));
  const judged = judgement(found, places, advice, found.reasons);
  if (judged.decision !== "pass" || found.concurrency >= 2) return judged;
  const text = `${judged.text}; tight: ${found.concurrency.toFixed(1)} requests of full length at once`;
  return { ...judged, decision: "warn", text };
}

interface Place {
  readonly name: string;
  readonly freeMiB?: number | undefined;
  readonly needMiB: number;
}

type Estimate = Pick<LlamaCppEstimate, "doubts"> & { readonly verdict: LlamaCppEstimate["verdict"] };

function judgement<E extends Estimate>(
  estimate: E,
  places: readonly Place[],
  advice: Advice,
  reasons: readonly string[] = [],
): Judgement<E> {
  const { verdict, doubts } = estimate;
  const over = places.filter(({ freeMiB, needMiB }) => freeMiB !== undefined && needMiB > freeMiB);
  const least = Math.min(...places.map(({ freeMiB = Infinity, needMiB }) => freeMiB - needMiB));
  const sure = doubts.length === 0 ? "" : ` (estimate: ${doubts.join("; ")})`;
  if (verdict === "does-not-fit") {
    const numbers = [
      ...reasons,
      ...(over.length > 0 ? over : reasons.length > 0 ? [] : places).map(numbersOf),
    ];
    const text = `does not fit: ${numbers.join("; ")}; ${adviceText(advice)}${sure}`;
    return { estimate, decision: doubts.length === 0 ? "refuse" : "warn", text, advice };
  }
  if (verdict === "unknown") {
    const silent = places.filter(({ freeMiB }) => freeMiB === undefined).map(({ name }) => name);
    const text = `not judged: ${silent.join(", ")} ${silent.length === 1 ? "tells" : "tell"} no free memory; ${places.map(numbersOf).join("; ")}${sure}`;
    return { estimate, decision: "warn", text, advice };
  }
  const tight = verdict === "fits-without-pipelining" || least < tightMiB;
  const how =
    verdict === "fits-without-pipelining"
      ? "fits without pipelining (prompts are read a little slower)"
      : tight
        ? "fits, tight"
        : "fits";
  return {
    estimate,
    decision: tight ? "warn" : "pass",
    text: `${how}: ${places.map(numbersOf).join("; ")}${sure}`,
    advice,
  };
}

function numbersOf({ name, freeMiB, needMiB }: Place): string {
  return freeMiB === undefined
    ? `${name} needs ${gib(needMiB)} GiB`
    : `${name} needs ${gib(needMiB)} GiB and has ${gib(freeMiB)} GiB`;
}

function adviceText({ context, quantization }: Advice): string {
  const ways = [
    ...(context === undefined ? [] : [`a context of ${context} tokens`]),
    ...(quantization === undefined ? [] : [`${quantization}`]),
  ];
  if (ways.length === 0) return "no smaller context or quantization fits here";
  return `fits with ${ways.join(", or with ")}`;
}

const gib = (mib: number) => (mib / 1024).toFixed(1);
