import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { ResourceDefinition } from "./resource.ts";
import { loadSdk } from "./sdk.ts";
import type { Witness } from "./witness.ts";

export type { Witness };

type Deep<T> = T extends object ? { [K in keyof T]: pulumi.Input<Deep<T[K]>> } : T;

/** Arguments of a resource class: the definition's inputs, each allowed to be an output, and the host. */
export type ResourceArgs<S extends z.ZodObject> = {
  [K in keyof z.input<S>]: pulumi.Input<Deep<z.input<S>[K]>>;
} & {
  /** Name in the inventory; how it is reached is the provider's business. */
  host: string;
  /** Who else is asked when it fails; the answer is added to the error. Never compared. */
  witness?: Witness | undefined;
};

/**
 * `pulumi.CustomResource`, loaded when a program declares its first resource. A definition and its class stand in one file,
 * and who needs the definition alone (provider, drift, verify) would load Pulumi's SDK with it: 250 ms and 70 MB.
 */
const CustomResource = function LazyResource(...args: unknown[]): object {
  const sdk = loadSdk();
  Object.setPrototypeOf(LazyResource.prototype, sdk.CustomResource.prototype);
  return Reflect.construct(sdk.CustomResource, args, new.target ?? LazyResource);
} as unknown as typeof pulumi.CustomResource;

/** Base of the classes that components instantiate: a definition seen from a Pulumi program. */
export class HostResource<S extends z.ZodObject> extends CustomResource {
  /** The wants last performed; what drift compares the host with. */
  declare readonly applied: pulumi.Output<z.output<S>>;
  /** What was seen beside the configuration, such as installed versions. */
  declare readonly status: pulumi.Output<Record<string, unknown>>;

  constructor(
    definition: ResourceDefinition<S>,
    name: string,
    args: ResourceArgs<S>,
    opts: pulumi.CustomResourceOptions = {},
  ) {
    super(
      `gpuhost:index:${definition.type}`,
      name,
      { ...args, applied: undefined, status: undefined },
      // Returned from Diff alone it is not honoured by `up --replace`, and the new file would be deleted with the old.
      { deleteBeforeReplace: definition.deleteBeforeReplace ?? true, ...opts },
    );
  }
}
