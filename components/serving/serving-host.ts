import type * as pulumi from "@pulumi/pulumi";
import type { MachineRecord } from "./placement.ts";

/** A machine as components see it; how it is reached is the provider's business. */
export interface ServingHost {
  /** Name in the inventory. */
  readonly name: string;
  /** Address at which clients reach it. */
  readonly address: string;
  /** Address that the other machines of the stack use for it. */
  readonly groupAddress: string;
  /** What the inventory records of it. */
  readonly record: MachineRecord;
  /** What must be in place before a service is put on it. */
  readonly base: readonly pulumi.Resource[];
}

/** Addresses of vendors, or of mirrors of them. */
export interface Mirrors {
  /** The model hub. */
  readonly hub: string;
  /** The llama.cpp project. */
  readonly llamacpp: string;
}

/** What the stack hands to the component of any engine. */
export interface EngineArgs<Service> {
  /** Its configuration, parsed. */
  readonly service: Service;
  /** The machines it names. */
  readonly hosts: Readonly<Record<string, ServingHost>>;
  readonly mirrors: Mirrors;
}

/** What the component of any engine offers to the stack. */
export interface ServedModel extends pulumi.Resource {
  /** Base URL of the OpenAI-compatible API. */
  readonly url: string;
  /** Model name that clients ask for. */
  readonly model: string;
  /** What its machines must agree on; while it changes, the service answers nothing. */
  readonly generation: string;
  /** Units by machine, the one that answers first; for logs. */
  readonly units: Readonly<Record<string, readonly string[]>>;
}
