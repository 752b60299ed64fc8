import type { z } from "zod";
import type { Placement } from "#components/claims.ts";
import type { HubModel } from "#models/read-facts.ts";
import type { FitGrounds, ServiceFit } from "./fit.ts";
import type { InventoryMachine } from "./machine.ts";
import type { ServiceBasics } from "./service-schema.ts";
import type { Vendor } from "./vendor.ts";

/** What an engine may know of the stack when it judges a service. */
export interface StackFacts {
  /** Name of the stack, for commands that errors tell. */
  readonly stack: string;
  /** By name in the inventory. */
  readonly machines: Readonly<Record<string, InventoryMachine>>;
}

/** Something an engine refuses. */
export interface EngineProblem {
  /** Where, below the service. */
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** A key of `gpu-hosts:mirrors`: where files of some project come from. */
export interface MirrorSpec {
  /** The project's own address. */
  readonly address: string;
  /** What it is, and what a mirror of it must answer. */
  readonly description: string;
}

/**
 * An engine seen from the stack's configuration: how a service of it is written, and what follows for the
 * stack. It loads nothing of Pulumi's SDK. Its component is its other half (`engine-component.ts`).
 *
 * @typeParam S schema of a service: `engine` a literal, all keys of `serviceShape`. It may have refinements
 * of its own.
 * @typeParam M keys that it has in `gpu-hosts:mirrors`
 */
export interface Engine<S extends z.ZodObject = z.ZodObject, M extends string = string> {
  readonly schema: S;
  /**
   * What a service takes up. Also asked of a service with wrong keys, which are left out then, so that its
   * hosts and ports are checked in the same run.
   */
  placement(service: Partial<z.output<S>>): Placement;
  /**
   * What only this engine can judge of a service on its machines; asked only where schema and hosts are
   * right.
   */
  problems?(service: z.output<S>, stack: StackFacts): readonly EngineProblem[];
  /** The model whose facts {@link fit} wants; `undefined`: it is not on the hub. */
  hubModel?(service: z.output<S>): HubModel | undefined;
  /** Whether a service fits its machines; `undefined`: too little is recorded of them. */
  fit?(service: z.output<S>, grounds: FitGrounds): ServiceFit | undefined;
  /** Its keys in `gpu-hosts:mirrors`. */
  readonly mirrors: Readonly<Record<M, MirrorSpec>>;
  /**
   * Beginnings of the names of packages that unattended upgrades leave alone by default, as they would
   * restart what serves.
   */
  readonly heldPackages: readonly string[];
  /** Beginning of the names of its units, which needrestart leaves alone: `llama-`. */
  readonly unitPrefix: string;
  /** What `npm run pin` pins for it, by the name on the command line. */
  readonly vendors: Readonly<Record<string, Vendor>>;
}

/** What all services have in common, whatever their engine: as much as the stack itself asks of one. */
export type Service = ServiceBasics & { readonly engine: string };
