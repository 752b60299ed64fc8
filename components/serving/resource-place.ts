import type * as pulumi from "@pulumi/pulumi";
import type { Witness } from "#provider/contract/witness.ts";

/**
 * Where a part of a service is declared: on which machine, and how it is tied to what else the stack
 * declares.
 */
export interface ResourcePlace {
  /** Begins the names of its resources: `big-rack1`. */
  readonly prefix: string;
  readonly at: {
    readonly host: string;
    /** Asked when something of it fails. */
    readonly witness?: Witness | undefined;
  };
  readonly opts: pulumi.CustomResourceOptions;
}
