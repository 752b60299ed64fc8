import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { ResourceDefinition } from "./contract/resource.ts";
import type { Witness } from "./contract/witness.ts";

type Deep<T> = T extends object ? { [K in keyof T]: pulumi.Input<Deep<T[K]>> } : T;

/** Inputs of a definition in a program, each allowed to be an output, and the host. */
export type DeclaredArgs<S extends z.ZodObject> = {
  [K in keyof z.input<S>]: pulumi.Input<Deep<z.input<S>[K]>>;
} & {
  /** Name in the inventory; how it is reached is the provider's business. */
  host: string;
  /** Who else is asked when it fails; the answer is added to the error. Never compared. */
  witness?: Witness | undefined;
};

/** A resource of ours as a program holds it. */
export class DeclaredResource<S extends z.ZodObject> extends pulumi.CustomResource {
  /** The wants last performed; what drift compares the host with. */
  declare readonly applied: pulumi.Output<z.output<S>>;
  /** What was seen beside the configuration, such as installed versions. */
  declare readonly status: pulumi.Output<Record<string, unknown>>;
}

/** A declared resource, as drift tells one that was never made. */
interface Child {
  readonly host: string;
  readonly name: string;
  readonly type: string;
}

const children = new WeakMap<pulumi.Resource, Child[]>();

function childrenOf(parent: pulumi.Resource): Child[] {
  const known = children.get(parent) ?? [];
  children.set(parent, known);
  return known;
}

/**
 * What was declared in a component, for its `registerOutputs`: the state then says what it should hold, also
 * where a run ended before all of it was made.
 */
export const outputDeclared = (component: pulumi.Resource): { readonly declared: readonly Child[] } => ({
  declared: childrenOf(component),
});

/**
 * Declares a resource in a Pulumi program. The definitions themselves know nothing of Pulumi, so that
 * provider, drift and verify load them without its SDK (250 ms and 70 MB).
 */
export function declare<S extends z.ZodObject>(
  definition: ResourceDefinition<S>,
  name: string,
  args: DeclaredArgs<S>,
  opts: pulumi.CustomResourceOptions = {},
): DeclaredResource<S> {
  if (opts.parent) childrenOf(opts.parent).push({ host: args.host, name, type: definition.type });
  return new DeclaredResource(
    `gpuhost:index:${definition.type}`,
    name,
    { ...args, applied: undefined, status: undefined },
    // Returned from Diff alone it is not honoured by `up --replace`, and the new file would be deleted with
    // the old.
    { deleteBeforeReplace: definition.deleteBeforeReplace ?? true, ...opts },
  );
}
