import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { Engine } from "./engine.ts";
import type { MachineRecord } from "./machine.ts";

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

/** What the stack hands to the component of an engine. */
interface EngineArgs<Service, M extends string = never> {
  /** Its configuration, parsed. */
  readonly service: Service;
  /** The machines it names. */
  readonly hosts: Readonly<Record<string, ServingHost>>;
  /** Addresses of the model hub and of the engine's own vendors, or of mirrors of them. */
  readonly mirrors: Readonly<Record<"hub" | M, string>>;
}

/** {@link EngineArgs} of one engine. */
export type ArgsOf<E> = E extends Engine<infer S, infer M> ? EngineArgs<z.output<S>, M> : never;

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

/** The component of an engine: declares what a service of it has on its machines. */
export type EngineComponent<Args> = new (name: string, args: Args) => ServedModel;

/** The machine of a name that the configuration was checked to have. Throws on a mistake of ours. */
export function hostNamed(hosts: Readonly<Record<string, ServingHost>>, name: string): ServingHost {
  const host = hosts[name];
  if (!host) throw new Error(`${name} is no host of the stack`);
  return host;
}
