import { type Device, usableMiB } from "#models/fit/settings.ts";

// Memory as nvidia-smi names it; NVIDIA's specifications.
const cards: readonly { name: RegExp; totalMiB: number; computeCapability: string }[] = [
  { name: /GTX 1660 SUPER/, totalMiB: 6144, computeCapability: "7.5" },
  { name: /RTX 3060/, totalMiB: 12_288, computeCapability: "8.6" },
  { name: /RTX 3090/, totalMiB: 24_576, computeCapability: "8.6" },
  { name: /RTX 4070 Ti/, totalMiB: 12_282, computeCapability: "8.9" },
  { name: /RTX 4080/, totalMiB: 16_376, computeCapability: "8.9" },
  { name: /RTX 4090/, totalMiB: 24_564, computeCapability: "8.9" },
  { name: /RTX 5090/, totalMiB: 32_607, computeCapability: "12.0" },
  { name: /RTX A6000/, totalMiB: 49_140, computeCapability: "8.6" },
  { name: /V100.*16GB/, totalMiB: 16_384, computeCapability: "7.0" },
  { name: /H100/, totalMiB: 81_559, computeCapability: "9.0" },
  { name: /A100.*80/, totalMiB: 81_920, computeCapability: "8.0" },
  { name: /80 GB class/, totalMiB: 81_559, computeCapability: "8.0" },
];

/** The card of a point, idle; `undefined`: the point does not name it. */
export function cardOf(gpu: string, name: string): Device | undefined {
  const card = cards.find((it) => it.name.test(gpu));
  if (card === undefined) return undefined;
  const number = (pattern: RegExp) => Number(pattern.exec(gpu)?.[1] ?? Number.NaN);
  const freeMiB = number(/free (\d+)/);
  const totalMiB = number(/\((\d+\.\d+) GiB/) * 1024 || Math.max(usableMiB(card.totalMiB), freeMiB || 0);
  return { name, totalMiB, freeMiB: freeMiB || totalMiB, computeCapability: card.computeCapability };
}
