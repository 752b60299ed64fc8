import { z } from "zod";
import { credentials, hosts, type Inventory } from "#inventory/inventory.ts";
import { namespaces, type RawConfiguration } from "#stacks/config.ts";
import { printConfiguration, printStack } from "./printed-stack.ts";

const configuration = z.record(
  z.string(),
  z.looseObject({ value: z.string(), objectValue: z.unknown().optional() }),
);

/** What Pulumi knows of a stack, secrets decrypted. */
export interface Stack {
  readonly exported: unknown;
  readonly raw: RawConfiguration;
}

/** Reads state and configuration of a stack. */
export async function readStack(stack: string): Promise<Stack> {
  const { exported, config } = printStack(stack);
  return { exported: JSON.parse(await exported), raw: await readConfiguration(stack, config) };
}

/** Reads the configuration alone. @param printed by the CLI, where it has been asked already */
export async function readConfiguration(
  stack: string,
  printed = printConfiguration(stack),
): Promise<RawConfiguration> {
  return rawConfiguration(JSON.parse(await printed));
}

/** The keys of ours out of `pulumi config --json`. */
export function rawConfiguration(printed: unknown): RawConfiguration {
  const config = configuration.parse(printed);
  const entries = Object.entries(namespaces).map(([key, namespace]) => {
    const entry = config[`${namespace}:${key}`];
    return [key, entry?.objectValue ?? (entry === undefined ? undefined : JSON.parse(entry.value))];
  });
  return Object.fromEntries(entries) as RawConfiguration;
}

/** Only how the hosts are reached: a stack whose services are wrong can still be looked at. */
export function inventoryOf(raw: RawConfiguration): Inventory {
  const parsed = z
    .object({ hosts, credentials: z.record(z.string(), credentials) })
    .safeParse({ hosts: raw.hosts ?? {}, credentials: raw.credentials ?? {} });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `  gpuhost:${path.join(".")}: ${message}`);
  throw new Error(["the inventory in the stack's configuration cannot be used:", ...lines].join("\n"));
}
