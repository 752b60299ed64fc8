import { z } from "zod";
import { masker } from "#provider/adapter/masker.ts";
import { migrateInputs } from "#provider/adapter/migrate.ts";
import { unwrap } from "#provider/adapter/secrets.ts";
import type { AnyDefinition, Config, Path } from "#provider/contract/resource.ts";

/** One `gpuhost` resource as the stack's state records it. */
export interface Deployed {
  readonly urn: string;
  /** URN of the component that it is a part of. */
  readonly parent: string | undefined;
  /** Name in the inventory. */
  readonly host: string;
  /** `<host>:<id on the host>`. */
  readonly id: string;
  /** Noun of the operating system, such as `Files`. */
  readonly type: string;
  /** Undefined if this release knows no such type. */
  readonly definition: AnyDefinition | undefined;
  readonly inputs: Record<string, unknown>;
  readonly outputs: Record<string, unknown>;
  /** The wants last performed, secrets in plain; undefined if creation never got that far. */
  readonly applied: Record<string, unknown> | undefined;
  /** Where secrets stand in `applied`. */
  readonly secretPaths: readonly Path[];
  /** Replaces this resource's secrets in a text by `[secret]`. */
  readonly mask: (text: string) => string;
  /** What an earlier run left undone, and why; empty for a healthy resource. */
  readonly unfinished: readonly string[];
}

const record = z.record(z.string(), z.unknown());
const stateResource = z.looseObject({
  urn: z.string(),
  parent: z.string().optional(),
  type: z.string(),
  id: z.string().optional(),
  custom: z.boolean().optional(),
  delete: z.boolean().optional(),
  inputs: record.optional(),
  outputs: record.optional(),
  initErrors: z.array(z.string()).nullish(),
});
const stackExport = z.looseObject({
  deployment: z
    .looseObject({
      resources: z.array(stateResource).nullish(),
      pending_operations: z.array(z.looseObject({ type: z.string(), resource: stateResource })).nullish(),
    })
    .nullish(),
});

/** Resources of a `pulumi stack export`, and the operations at which a run was ended (`creating` …). */
export function readState(exported: unknown) {
  const { resources, pending_operations } = stackExport.parse(exported).deployment ?? {};
  return { resources: resources ?? [], operations: pending_operations ?? [] };
}

export const ourTypes = "gpuhost:index:";

/**
 * Our resources in a `pulumi stack export --show-secrets`, of any backend. A resource that waits for its
 * deletion after a replacement is left out: what stands on the host is the new one.
 */
export function deployedResources(
  exported: unknown,
  definitions: ReadonlyMap<string, AnyDefinition>,
): readonly Deployed[] {
  const { resources, operations } = readState(exported);
  return resources
    .filter((resource) => resource.type.startsWith(ourTypes) && !resource.delete)
    .map((resource) => {
      const type = resource.type.slice(ourTypes.length);
      const inputs = unwrap(resource.inputs ?? {});
      const outputs = unwrap(resource.outputs ?? {});
      const values = { inputs: inputs.value, outputs: outputs.value };
      const under = (key: string, paths: readonly Path[]) => paths.map((path) => [key, ...path]);
      const secrets = [...under("inputs", inputs.secretPaths), ...under("outputs", outputs.secretPaths)];
      const plainInputs = inputs.value as Record<string, unknown>;
      const plainOutputs = outputs.value as Record<string, unknown>;
      return {
        urn: resource.urn,
        parent: resource.parent,
        id: resource.id ?? "",
        host: String(plainInputs.host ?? resource.id?.split(":")[0] ?? ""),
        type,
        definition: definitions.get(type),
        inputs: plainInputs,
        outputs: plainOutputs,
        applied: plainOutputs.applied as Record<string, unknown> | undefined,
        secretPaths: outputs.secretPaths.filter(([key]) => key === "applied").map((path) => path.slice(1)),
        mask: masker(values, secrets),
        unfinished: [
          ...(resource.initErrors ?? []),
          ...operations
            .filter((operation) => operation.resource.urn === resource.urn)
            .map((operation) => `it was killed while ${operation.type} it`),
        ],
      };
    });
}

/**
 * The wants last performed in the shape of today's inputs; undefined if creation never got that far or this
 * release does not know the type. Throws if a newer release wrote them.
 */
export function appliedWants({ definition, applied, outputs }: Deployed): Config | undefined {
  if (definition === undefined || applied === undefined) return undefined;
  return migrateInputs(definition, applied, Number(outputs.schemaVersion ?? definition.version));
}

/** Outputs of the stack itself, secrets in plain, and a mask for those secrets. */
export function stackOutputs(exported: unknown): {
  readonly outputs: Record<string, unknown>;
  readonly mask: (text: string) => string;
} {
  const { resources } = readState(exported);
  const stack = resources.find((resource) => resource.type === "pulumi:pulumi:Stack");
  const { value, secretPaths } = unwrap(stack?.outputs ?? {});
  return { outputs: value as Record<string, unknown>, mask: masker(value, secretPaths) };
}

/** The resource's own name in its URN, the part after the last `::`. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
