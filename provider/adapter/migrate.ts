import type { AnyDefinition, Config } from "#provider/contract/resource.ts";

/**
 * Inputs as an older release or an observation left them, in today's shape. Never refuses those: a key
 * missing there whose value is today's default is no difference, and what cannot be parsed (observed values,
 * say) is compared as it is. What a newer release wrote it throws at: nobody here knows what it means.
 */
export function migrateInputs(definition: AnyDefinition, old: Config, version: number): Config {
  if (version > definition.version) {
    throw new Error(
      `the state of this ${definition.type} was written by a newer gpu-hosts (version ${version} of its inputs; this one knows ` +
        `${definition.version}).\n  Nothing was changed. Go on with that release; the older one works again only with a state from before it:\n` +
        "  `pulumi stack history`, then `pulumi stack export --version N` and `pulumi stack import`.",
    );
  }
  const moved = version < definition.version ? (definition.migrate?.({ ...old }, version) ?? old) : old;
  const parsed = definition.inputs.safeParse(moved);
  return parsed.success ? (parsed.data as Config) : moved;
}
