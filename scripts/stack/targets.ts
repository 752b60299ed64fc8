import type { EngineStep } from "#scripts/pulumi/preview.ts";

/**
 * URNs of everything on one host, and of the components they are parts of, as `--target` takes them. From a
 * preview rather than from state, so that what is yet to be created is among them.
 */
export function targetsOf(host: string, steps: readonly EngineStep[]): readonly string[] {
  const parents = new Map(steps.map(({ urn, parent }) => [urn, parent]));
  const targets = new Set<string>();
  for (const { urn } of steps.filter((step) => step.host === host)) {
    for (let at: string | undefined = urn; at !== undefined && !targets.has(at); at = parents.get(at))
      targets.add(at);
  }
  return [...targets].filter((urn) => urn.split("::")[2] !== "pulumi:pulumi:Stack");
}
