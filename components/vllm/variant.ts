import type { MachineRecord } from "#components/serving/machine.ts";
import { chooseBuild, refusals } from "#models/compatibility.ts";
import type { VllmService } from "./schema.ts";

/** A build of vLLM. */
export type Variant = Exclude<VllmService["variant"], "auto">;

const known: readonly Variant[] = ["cu130", "cu129", "cpu"];

/** The build for a machine, chosen by name or by what the inventory records; or why there is none. */
export function variantOf(
  { variant }: Pick<VllmService, "variant">,
  record: MachineRecord = {},
): { readonly variant: Variant } | { readonly unclear: string } {
  if (variant !== "auto") return { variant };
  const choice = chooseBuild("vllm", record);
  if ("reasons" in choice) return { unclear: choice.reasons.join("; ") };
  const found = known.find((name) => name === choice.variant);
  return found ? { variant: found } : { unclear: `no build here is called ${choice.variant}` };
}

/** Why a machine cannot run a build that was chosen by name; `undefined`: nothing known speaks against it. */
export function variantProblem(variant: Variant, record: MachineRecord = {}): string | undefined {
  if (variant === "cpu") return undefined;
  if (record.gpus?.length === 0) return "it has no NVIDIA GPU";
  const reasons = refusals("vllm", variant, record);
  return reasons.length > 0 ? reasons.join("; ") : undefined;
}
