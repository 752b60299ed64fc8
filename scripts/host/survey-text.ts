import type { Survey } from "#checks/survey.ts";

type Facts = Survey["facts"];
type Gpu = NonNullable<Facts["gpus"]>[number];

/** What a machine told, in a few lines for the operator. */
export function surveyText({ facts, leftOut, freeGiB, gpuTrouble }: Survey): string {
  const { release, architecture, cpuCores, memoryGiB, diskGiB, gpus = [] } = facts;
  const free = freeGiB === undefined ? "" : `, ${freeGiB} GiB of it free`;
  const parts = [
    cpuCores === undefined ? [] : [`${cpuCores} cores`],
    memoryGiB === undefined ? [] : [`${memoryGiB} GiB memory`],
    diskGiB === undefined ? [] : [`${diskGiB} GiB disk for models${free}`],
  ].flat();
  const cards = gpus.length === 0 ? ["no NVIDIA GPU"] : gpus.map(gpuText);
  return [
    [release, architecture].filter((known) => known !== undefined).join(", "),
    parts.join(", "),
    ...cards,
    ...leftOut.map(leftOutText),
    ...(gpuTrouble === undefined ? [] : [`the GPU cannot be used yet: ${gpuTrouble}`]),
  ].join("\n");
}

/** A fact that the machine told in a form that the inventory does not take. */
export const leftOutText = (problem: string): string => `not written, as what it told is none: ${problem}`;

function gpuText({ model, memoryGiB, computeCapability, pciId }: Gpu): string {
  const known = [
    memoryGiB === undefined ? [] : [`${memoryGiB} GiB`],
    computeCapability === undefined ? [] : [`compute capability ${computeCapability}`],
    pciId === undefined ? [] : [pciId],
  ].flat();
  return known.length === 0 ? model : `${model} (${known.join(", ")})`;
}

/** Facts that differ, a line each. */
export function changesText(before: Readonly<Record<string, unknown>>, facts: Facts): string[] {
  const shown = (value: unknown) => (value === undefined ? "not known" : JSON.stringify(value));
  return Object.entries(facts)
    .filter(([key, value]) => shown(before[key]) !== shown(value) && value !== undefined)
    .map(([key, value]) => `${key}: ${shown(before[key])} -> ${shown(value)}`);
}
