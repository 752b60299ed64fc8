import type { AnyDefinition, Config } from "./resource.ts";

/**
 * Inputs as an older release or an observation left them, in today's shape. Never refuses: a key missing there whose value
 * is today's default is no difference, and what cannot be parsed (observed values, say) is compared as it is.
 */
export function migrated(definition: AnyDefinition, old: Config, version: number): Config {
  const moved = version < definition.version ? (definition.migrate?.({ ...old }, version) ?? old) : old;
  const parsed = definition.inputs.safeParse(moved);
  return parsed.success ? (parsed.data as Config) : moved;
}
