import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import type { Probe } from "#facts/probes/probe.ts";
import type { Host, System } from "#transport/host.ts";
import type { Step } from "./step.ts";

/** What a state file or a record on a host can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where something stands in a configuration: `["files", "/etc/x", "mode"]`. */
export type Path = readonly (string | number)[];

/** One thing on the machine that a resource claims in the owners record. */
export interface Item {
  /** Unique on the machine, kind first: `file /etc/x`, `package curl`, `unit big.service`. */
  readonly name: string;
  /**
   * Where it stands in the configuration; what stands there before the first claim is put back at the end.
   */
  readonly path: Path;
  /** Another stack may claim it as well (an unpinned package). @default false */
  readonly shared?: boolean;
}

/**
 * Something on the host that is wrong and that no input says: rules loaded at boot that differ from the file,
 * a package that is half configured. While there is one, the resource is not in sync, and `apply` is to
 * repair it.
 */
export interface Finding {
  /**
   * What it is about: the input nearest to it, or a word of its own such as `["reload"]`. One finding a path:
   * `apply` knows by it what to repair ({@link findingAt}). Not in an item that is no longer wanted, which is
   * undone anyway.
   */
  readonly path: Path;
  /** One sentence in the operator's words. Holds no value of an input, since that may be a secret. */
  readonly text: string;
}

/**
 * Shown to operators, never compared: installed versions, since when a unit runs. A `type`, as an interface
 * is no record.
 */
export type Status = { readonly [key: string]: Json };

/** What was read from a host. `T` is the status of its definition. */
export interface Observation<W, T extends Status = Status> {
  /**
   * Shaped as the inputs and compared with them; an absent item is simply not in it. What the host does not
   * tell, or what a finding is about, stands here as it is wanted.
   */
  readonly config: Partial<W>;
  /** @default none */
  readonly findings?: readonly Finding[];
  readonly status?: T;
  /**
   * JSON that the owners record is to keep of an item, by the item's name, where its value in `config` would
   * not bring it back; null: nothing worth bringing back stood there. @default the value at the item's path
   */
  readonly originals?: Readonly<Record<string, unknown>>;
  /**
   * Still on its way, in the operator's words: `starting: waiting for worker 1 h2`. Asked again before it is
   * judged. @default it stays as it is
   */
  readonly settling?: string | undefined;
}

/** One difference between what is wanted and what is there. */
export interface Change {
  readonly path: Path;
  /** `finding`: no input differs; {@link Finding.text} says what is wrong. */
  readonly kind: "add" | "delete" | "update" | "finding";
  readonly want?: unknown;
  readonly have?: unknown;
  /** Of a finding. */
  readonly text?: string;
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
   * What stood on the machine before gpu-hosts first touched the item: the value at the item's path, as
   * observed then; `undefined` if nothing was there. To undo an item is to bring this back.
   */
  before(item: string): Json | undefined;
}

/**
 * What the author of a resource writes. `observe` is the only one that talks to a host and it must not change
 * it; `apply` and `remove` are pure and *describe* steps; everything else is the engine's.
 */
export interface ResourceDefinition<
  S extends z.ZodObject = z.ZodObject,
  T extends Status = Status,
  W = z.output<S>,
> {
  /** Noun of the operating system; the Pulumi type is `gpuhost:index:<type>`. */
  readonly type: string;
  /** System that it acts on: a host that does not run it is refused at check. @default "linux" */
  readonly on?: System;
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
   * Reads every item of `want` and of `last` (those no longer wanted are undone). `undefined`: not one item
   * is there. Rejects only if it could not look.
   * @param deep also compares contents whose comparison takes minutes (models, archives, packages). @default
   * false
   */
  observe(host: Host, want: W, last: W | undefined, deep?: boolean): Promise<Observation<W, T> | undefined>;
  /**
   * Whether an item that is no longer wanted and stood there before us is as it is to be. Default: the same
   * value as then. A package that has been upgraded since is another value, yet nothing to put back.
   */
  restored?(before: Json, have: unknown): boolean;
  /**
   * Asked in preview, where there is something to do; reads only. What it finds is a warning: it may be gone
   * by the time of `up`.
   */
  obstacles?(host: Host, want: W): Promise<readonly Obstacle[]>;
  /**
   * From `have` to `want`, findings repaired. Nothing to do yields nothing. Items in `have` and not in `want`
   * are to be undone.
   */
  apply(want: W, have: Observation<W, T> | undefined, context: Context<W>): Iterable<Step>;
  /**
   * Takes away what `have` holds and puts back what was before. `have` is already limited to items nobody
   * else owns.
   */
  remove(have: Observation<W, T>, context: Context<W>): Iterable<Step>;
  /** What `npm run verify` asks on the host of one that was applied. @default nothing */
  probes?(applied: W): readonly Probe[];
  /** Units whose journal `npm run logs` shows of one that was applied. @default none */
  journalUnits?(applied: W): readonly string[];
}

/** Inputs of some resource, parsed, where the code at hand handles all of them alike. */
export type Config = Readonly<Record<string, unknown>>;

/** A definition as the registry and the adapter hold it, whatever its inputs. */
// biome-ignore lint/suspicious/noExplicitAny: the adapter handles every resource by this one type; each definition stays exact
export type AnyDefinition = ResourceDefinition<any, any, any>;

/** Checks a definition against the contract and keeps its exact types. */
export function defineResource<S extends z.ZodObject, T extends Status = Status>(
  definition: ResourceDefinition<S, T>,
): ResourceDefinition<S, T> {
  return definition;
}

/** The finding at exactly this path, if there is one. */
export const findingAt = (
  have: Pick<Observation<unknown>, "findings"> | undefined,
  ...path: Path
): Finding | undefined => have?.findings?.find((finding) => isDeepStrictEqual(finding.path, path));

/** One finding for each key that holds a text; the key is its path. */
export const findingsOf = (texts: Readonly<Record<string, string | undefined>>): readonly Finding[] =>
  Object.entries(texts).flatMap(([key, text]) => (text === undefined ? [] : [{ path: [key], text }]));
