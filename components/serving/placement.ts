import type { z } from "zod";

/** A machine's part in a service. */
export interface Seat {
  /** Name in the inventory. */
  readonly host: string;
  /** Where the service's configuration names it: `["workers", 1]`. */
  readonly path: readonly (string | number)[];
  /** The part it plays, in the operator's words: `leader`. */
  readonly role: string;
}

/** A TCP port that a service opens on a machine. */
export interface Exposure {
  readonly host: string;
  readonly port: number;
  /** Where the service's configuration sets the port: `["rpcPort"]`. */
  readonly path: readonly (string | number)[];
  /** What listens there, in the operator's words: `the API`. */
  readonly what: string;
  /** Who may connect: everyone who reaches the machine, only the machine itself, or only these machines. */
  readonly from: "everyone" | "itself" | readonly string[];
  /** Why it is safe to let everyone in: a key is asked for, or the operator said `open: true`. */
  readonly safe?: "api key" | "open";
}

/** A TCP port of a machine, and the addresses that its firewall lets in; none: only the machine itself. */
export interface Opening {
  readonly port: number;
  readonly from: "any" | readonly string[];
  /** For whom, in the operator's words: `big: the RPC worker`. */
  readonly why: string;
}

/** What a service takes up, known from its configuration alone, before anything is declared. */
export interface Placement {
  /** Platforms on which its parts can run. */
  readonly platforms: readonly string[];
  readonly seats: readonly Seat[];
  readonly exposures: readonly Exposure[];
  /** Distribution packages on every seat: name to exact version or `any`. */
  readonly packages: Readonly<Record<string, string>>;
}

/** What the inventory records of a machine; any of it may be absent. */
export interface MachineRecord {
  /** As `uname -m` prints it. */
  readonly architecture?: string | undefined;
  /** Its NVIDIA GPUs; empty: it has none. */
  readonly gpus?: readonly { readonly computeCapability?: string | undefined }[] | undefined;
  /** Version of its NVIDIA driver. */
  readonly driver?: string | undefined;
}

/** What an engine may know of the stack when it judges a service. */
export interface StackFacts {
  /** Name of the stack, for commands that errors tell. */
  readonly stack: string;
  /** By name in the inventory. */
  readonly machines: Readonly<Record<string, MachineRecord>>;
}

/** Something an engine refuses. */
export interface EngineProblem {
  /** Where, below the service. */
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** An engine seen from the stack's configuration: how a service of it is written, and what it takes up. */
export interface EngineConfiguration<S extends z.ZodObject = z.ZodObject> {
  readonly schema: S;
  placement(service: z.output<S>): Placement;
  /** What only this engine can judge of a service on its machines; asked only where schema and hosts are right. */
  problems?(service: z.output<S>, stack: StackFacts): readonly EngineProblem[];
}
