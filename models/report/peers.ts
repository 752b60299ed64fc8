import { MiB } from "#models/facts.ts";
import type { LlamaCppRow } from "#models/report/llamacpp-rows.ts";

/** One start of llama.cpp, its devices together. */
export interface Configuration {
  readonly rows: readonly LlamaCppRow[];
  readonly measuredMiB: number;
  /** Weights on the GPUs, as logged. */
  readonly weightsMiB: number;
  readonly cacheMiB: number;
  readonly context: number;
  readonly devices: number;
}

/**
 * Starts whose every device the driver measured, without experts in the machine's memory, which the peers'
 * rules do not know.
 */
export function configurations(rows: readonly LlamaCppRow[]): readonly Configuration[] {
  const usable = rows.filter(
    ({ point, settings }) =>
      point.byDriver &&
      point.weightsMiB !== undefined &&
      settings.cpuExpertLayers === 0 &&
      !/RPC/.test(point.setup),
  );
  const groups = Map.groupBy(
    usable,
    ({ point }) => `${point.model} ${point.context} ${point.setup.replace(/, device \d/, "")}`,
  );
  return [...groups.values()].map((group) => {
    // One point stands for both cards of a tensor split.
    const copies = group.some(({ settings }) => settings.splitMode === "tensor") ? 2 : 1;
    const sum = (of: (row: LlamaCppRow) => number) =>
      copies * group.reduce((total, row) => total + of(row), 0);
    return {
      rows: group,
      measuredMiB: sum(
        ({ point }) => (point.weightsMiB ?? 0) + (point.cacheMiB ?? 0) + (point.overheadMiB ?? 0),
      ),
      weightsMiB: sum(({ point }) => point.weightsMiB ?? 0),
      cacheMiB: sum(({ point }) => point.cacheMiB ?? 0),
      context: group[0]?.point.context ?? 0,
      devices: copies * group.length,
    };
  });
}

interface Peer {
  readonly name: string;
  /** What the rule says a configuration needs, MiB. */
  readonly rule: (configuration: Configuration) => number;
}

const gigabyte = 1e9 / MiB;

/** The rules, each given exact weights and, where it counts one, the exact cache. */
export const peers: readonly Peer[] = [
  {
    name: "**this estimate**",
    rule: ({ measuredMiB, rows, devices }) =>
      measuredMiB + (devices / rows.length) * rows.reduce((sum, { errorMiB }) => sum + (errorMiB ?? 0), 0),
  },
  { name: "weights + cache", rule: ({ weightsMiB, cacheMiB }) => weightsMiB + cacheMiB },
  {
    name: "weights + cache + 210 MiB + 7 MiB for 1000 tokens + 140 MiB, a device",
    rule: ({ weightsMiB, cacheMiB, context, devices }) =>
      weightsMiB + cacheMiB + devices * (210 + (7 * context) / 1000 + 140),
  },
  {
    name: "LocalAI (`pkg/vram`): file + cache + 0.02 GB a billion weights + 0.15 GB",
    rule: ({ rows, cacheMiB }) => {
      const model = rows[0]?.model;
      return (
        fileMiB(rows) + cacheMiB + (0.02 * (model?.parameters ?? 0)) / 1e9 / (MiB / 1e9) + 0.15 * gigabyte
      );
    },
  },
  { name: "GPUStack: weights × 1.2 + 2 GiB", rule: ({ rows }) => fileMiB(rows) * 1.2 + 2048 },
  { name: "text-generation-webui (regression of 2025)", rule: regression },
];

const fileMiB = (rows: readonly LlamaCppRow[]) => (rows[0]?.model.totalBytes ?? 0) / MiB;

/** `estimate_vram` of modules/models_settings.py: fitted there on 19,517 measurements. */
function regression({ rows, context }: Configuration): number {
  const [row] = rows;
  if (row === undefined) return 0;
  const { model, settings } = row;
  const bits = { q8_0: 8, q4_0: 4 }[settings.cacheTypeK as "q8_0" | "q4_0"] ?? 16;
  const keyHeads = Math.max(0, ...model.layers.map(({ cache }) => cache?.heads ?? 0));
  const perLayer = fileMiB(rows) / model.layers.length;
  const offset = bits - (Math.floor((50.77817218646521 * model.width) / context) + 9.987899908205632);
  return (
    (perLayer - 17.99552795246051 + 3.148552680382576e-5 * keyHeads * bits * context) *
      (model.layers.length + Math.max(0.9690636483914102, offset)) +
    1516.522943869404
  );
}

/** Mean, extremes and the median of the absolute values. */
export function statistics(errors: readonly number[]) {
  const sorted = errors.map(Math.abs).sort((a, b) => a - b);
  return {
    mean: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    least: Math.min(...errors),
    most: Math.max(...errors),
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}
