import type { z } from "zod";
import type { Host } from "#transport/host.ts";
import type { Step } from "./step.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where something stands in a configuration: `["files", "/etc/x", "mode"]`. */
export type Path = readonly (string | number)[];

/** One thing on the machine that a resource claims in the owners record. */
export interface Item {
  /** Unique on the machine, kind first: `file /etc/x`, `package curl`, `unit big.service`. */
  readonly name: string;
  /** Where it stands in the configuration; what stands there before the first claim is put back at the end. */
  readonly path: Path;
  /** Another stack may claim it as well (an unpinned package). @default false */
  readonly shared?: boolean;
}

/** What was read from a host. */
export interface Observation<W> {
  /** Shaped as the inputs and compared with them; an absent item is simply not in it. */
  readonly config: Partial<W>;
  /** Shown to operators, never compared: installed versions, since when a unit runs. */
  readonly status?: { readonly [key: string]: Json };
  /** Still coming up (a unit `activating`): observed again for up to 30 s before it is compared. @default false */
  readonly settling?: boolean;
}

/** One difference between what is wanted and what is there. */
export interface Change {
  readonly path: Path;
  readonly kind: "add" | "delete" | "update";
  readonly want?: unknown;
  readonly have?: unknown;
}

/** Something on the host that the steps of `apply` would run into, for preview to tell beforehand. */
export interface Obstacle {
  /** What it is, in one line that names it. */
  readonly what: string;
  /** What the operator does about it, if it is nothing of gpu-hosts. */
  readonly cure: string;
  /** Item of the owners record that it may be: then another resource made it. */
  readonly item: string;
}

/** What `apply` and `remove` know beside want and have. */
export interface Context<W> {
  /** What this resource last applied; absent on create. */
  readonly last?: W | undefined;
  /**
   * What stood on the machine before gpu-hosts first touched the item: the value at the item's path, as observed then;
   * `undefined` if nothing was there. To undo an item is to bring this back.
   */
  before(item: string): Json | undefined;
}

/**
 * What the author of a resource writes. `observe` is the only one that talks to a host and it must not change it;
 * `apply` and `remove` are pure and *describe* steps; everything else is the engine's.
 */
export interface ResourceDefinition<S extends z.ZodObject = z.ZodObject, W = z.output<S>> {
  /** Noun of the operating system; the Pulumi type is `gpuhost:index:<type>`. */
  readonly type: string;
  /** Of the shape of `inputs`; raised together with a branch in `migrate`. */
  readonly version: number;
  /** Strict, every key described; defaults only here. `host` is added by the adapter. */
  readonly inputs: S;
  /** Top-level inputs whose change means another thing: replace instead of update. */
  readonly identity: readonly (keyof W & string)[];
  /** Two of the same identity cannot stand side by side, so the old one goes first. @default true */
  readonly deleteBeforeReplace?: boolean;
  /** The resource's id on its host; the Pulumi id is `<host>:<this>`. */
  id(want: W): string;
  /** Wants for `pulumi import`, from the id alone; absent if it cannot be imported. */
  fromId?(id: string): z.input<S>;
  /** Pure; turns inputs of an older `version` into today's. */
  migrate?(old: Record<string, unknown>, version: number): Record<string, unknown>;
  /** What this configuration claims. Also maps an observation's config, so it must bear partial ones. */
  items(config: Partial<W>): readonly Item[];
  /**
   * Reads every item of `want` and of `last` (those no longer wanted are undone). `undefined`: not one item is there.
   * Rejects only if it could not look.
   */
  observe(host: Host, want: W, last: W | undefined): Promise<Observation<W> | undefined>;
  /** Differences, when comparing values path by path is wrong. */
  diff?(want: W, have: Partial<W>): readonly Change[];
  /**
   * Whether an item that is no longer wanted and stood there before us is as it is to be. Default: the same value as then.
   * A package that has been upgraded since is another value, yet nothing to put back.
   */
  restored?(before: Json, have: unknown): boolean;
  /** Asked in preview, where there is something to do; reads only. What it finds is a warning: it may be gone by the time of `up`. */
  obstacles?(host: Host, want: W): Promise<readonly Obstacle[]>;
  /** From `have` to `want`. Nothing to do yields nothing. Items in `have` and not in `want` are to be undone. */
  apply(want: W, have: Observation<W> | undefined, context: Context<W>): Iterable<Step>;
  /** Takes away what `have` holds and puts back what was before. `have` is already limited to items nobody else owns. */
  remove(have: Observation<W>, context: Context<W>): Iterable<Step>;
}

/** Inputs of some resource, parsed, where the code at hand handles all of them alike. */
export type Config = Readonly<Record<string, unknown>>;

/** A definition as the registry and the adapter hold it, whatever its inputs. */
// biome-ignore lint/suspicious/noExplicitAny: the adapter handles every resource by this one type; each definition stays exact
export type AnyDefinition = ResourceDefinition<any, any>;

/** Checks a definition against the contract and keeps its exact types. */
export function defineResource<S extends z.ZodObject>(
  definition: ResourceDefinition<S>,
): ResourceDefinition<S> {
  return definition;
}
