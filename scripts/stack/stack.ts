import { z } from "zod";
import { type Inventory, readInventory } from "#inventory/inventory.ts";
import { namespaces, type RawConfiguration } from "#stacks/schema.ts";
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
    // Nothing behind a key is the empty text here.
    return [key, entry?.objectValue ?? (entry?.value ? JSON.parse(entry.value) : undefined)];
  });
  return Object.fromEntries(entries) as RawConfiguration;
}

/** Only how the hosts are reached: a stack whose services are wrong can still be looked at. */
export const inventoryOf = (raw: RawConfiguration): Inventory => readInventory(raw);
