import { z } from "zod";
import { nameOf, ourTypes, readState } from "./deployed.ts";
import type { Result } from "./result.ts";

const declared = z.array(z.object({ host: z.string(), name: z.string(), type: z.string() })).catch([]);

/**
 * What is missing in a `pulumi stack export`: of what its components say that they declared
 * (provider/declare.ts), and what was being created when a run was killed. Nobody needs to look at a host to
 * know. A component of an earlier release says nothing of the kind.
 */
export function unmadeResources(exported: unknown): readonly Result[] {
  const { resources, operations } = readState(exported);
  const keyOf = (type: string, name: string) => `${type} ${name}`;
  const made = new Set(resources.map(({ type, urn }) => keyOf(type, nameOf(urn))));
  const wanted = resources
    .filter(({ custom }) => !custom)
    .flatMap(({ outputs }) => declared.parse(outputs?.declared));
  const begun = operations
    .filter(({ resource }) => resource.type.startsWith(ourTypes))
    .map(({ resource: { type, urn, inputs } }) => ({
      host: String(inputs?.host ?? ""),
      name: nameOf(urn),
      type: type.slice(ourTypes.length),
    }));
  const missing = [...wanted, ...begun].filter(({ type, name }) => !made.has(keyOf(ourTypes + type, name)));
  return [...new Map(missing.map((one) => [keyOf(one.type, one.name), one])).values()].map((one) => ({
    ...one,
    verdict: "bad",
    label: "never made",
    details: ["the last run ended before it was made; the next `up` makes it"],
  }));
}
