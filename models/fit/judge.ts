import { MiB, type ModelFacts } from "#models/facts.ts";
import { largestContext, smallerQuantization } from "#models/fit/advice.ts";
import { estimateLlamaCpp, fittingSplit, type LlamaCppEstimate } from "#models/fit/llamacpp.ts";
import type { Device, LlamaCppSettings } from "#models/fit/settings.ts";
import { estimateVllm, type VllmEstimate, type VllmSettings } from "#models/fit/vllm.ts";

/** What would fit where the wanted does not. */
interface Advice {
  /** Largest context, tokens (of all slots; of one request for vLLM). */
  readonly context?: number | undefined;
  /** Next smaller quantization with the wanted context, such as `Q3_K_M`. */
  readonly quantization?: string | undefined;
  /**
   * Shares of the devices (`-ts`) with which the wanted fits as it is; by free memory is not the best for a
   * long context.
   */
  readonly tensorSplit?: readonly number[] | undefined;
}

/** An estimate, in words too. */
export interface Judgement<E> {
  readonly estimate: E;
  /**
   * `refuse`: it cannot work; `warn`: tight, slower, or an estimate that says no; `pass`. What is not known
   * well is never refused.
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
          tensorSplit: fittingSplit(model, settings, devices),
          quantization: smallerQuantization(model, (of) => works(estimate(of, settings.context)))?.name,
        }
      : {};
  const needs = found.devices.map(({ device, totalMiB, weightsMiB }) => ({
    name: device.name,
    freeMiB: device.freeMiB,
    needMiB: totalMiB,
    weightsMiB,
  }));
  const machine = {
    name: "the machine's memory",
    freeMiB: machineFreeMiB,
    needMiB: found.machineMiB,
    weightsMiB: devices.length === 0 ? model.totalBytes / MiB : 0,
  };
  const places = machineFreeMiB === undefined && devices.length > 0 ? needs : [...needs, machine];
  return { estimate: found, advice, ...wordsOf(found, places, advice) };
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
  const places = found.devices.map(({ device, budgetMiB, cacheMiB, weightsMiB }) => ({
    name: device.name,
    freeMiB: budgetMiB > 0 ? budgetMiB : undefined,
    needMiB: budgetMiB - cacheMiB + found.requestMiB,
    weightsMiB,
  }));
  const words = wordsOf(found, places, advice, found.reasons);
  if (found.verdict !== "fits" || found.concurrency >= 2) return { estimate: found, advice, ...words };
  const text = `${words.text}; tight: ${found.concurrency.toFixed(1)} requests of full length at once`;
  return { estimate: found, advice, decision: "warn", text };
}

interface Place {
  readonly name: string;
  readonly freeMiB?: number | undefined;
  readonly needMiB: number;
  /** Of the need, what is sure whatever else is an estimate: the weights. */
  readonly weightsMiB: number;
}

type Estimate = Pick<LlamaCppEstimate, "doubts" | "verdict">;
type Words = Pick<Judgement<unknown>, "decision" | "text">;

function wordsOf(
  { verdict, doubts }: Estimate,
  places: readonly Place[],
  advice: Advice,
  reasons: readonly string[] = [],
): Words {
  const { decision, text } =
    verdict === "does-not-fit"
      ? refusal(places, advice, reasons, doubts.length === 0)
      : verdict === "unknown"
        ? silence(places)
        : agreement(places, verdict);
  return { decision, text: doubts.length === 0 ? text : `${text} (estimate: ${doubts.join("; ")})` };
}

function refusal(places: readonly Place[], advice: Advice, reasons: readonly string[], sure: boolean): Words {
  const over = places.filter(({ freeMiB = Infinity, needMiB }) => needMiB > freeMiB);
  const free = places.reduce((sum, { freeMiB = 0 }) => sum + freeMiB, 0);
  const weights = places.reduce((sum, { weightsMiB }) => sum + weightsMiB, 0);
  const numbers = [...reasons, ...over.map(numbersOf)];
  return {
    decision: sure || weights > free ? "refuse" : "warn",
    text: `does not fit: ${numbers.join("; ")}; ${adviceText(advice)}`,
  };
}

function silence(places: readonly Place[]): Words {
  const silent = places.filter(({ freeMiB }) => freeMiB === undefined).map(({ name }) => name);
  const verb = silent.length === 1 ? "tells" : "tell";
  const numbers = places.map(numbersOf).join("; ");
  return { decision: "warn", text: `not judged: ${silent.join(", ")} ${verb} no free memory; ${numbers}` };
}

function agreement(places: readonly Place[], verdict: Estimate["verdict"]): Words {
  const left = Math.min(...places.map(({ freeMiB = Infinity, needMiB }) => freeMiB - needMiB));
  const slower = verdict === "fits-without-pipelining";
  const tight = left < tightMiB;
  const how = slower
    ? "fits without pipelining (prompts are read a little slower)"
    : tight
      ? "fits, tight"
      : "fits";
  return {
    decision: slower || tight ? "warn" : "pass",
    text: `${how}: ${places.map(numbersOf).join("; ")}`,
  };
}

function numbersOf({ name, freeMiB, needMiB }: Place): string {
  const need = `${name} needs ${gib(needMiB)} GiB`;
  return freeMiB === undefined ? need : `${need} and has ${gib(freeMiB)} GiB`;
}

function adviceText({ context, quantization, tensorSplit }: Advice): string {
  const ways = [
    ...(tensorSplit === undefined ? [] : [`-ts ${tensorSplit.join(",")}`]),
    ...(context === undefined ? [] : [`a context of ${context} tokens`]),
    ...(quantization === undefined ? [] : [quantization]),
  ];
  if (ways.length === 0) return "no smaller context or quantization fits here";
  return `fits with ${ways.join(", or with ")}`;
}

const gib = (mib: number) => (mib / 1024).toFixed(1);
