/** Where something stands below what claims it: `["workers", 1]`. */
type Key = readonly (string | number)[];

/** A machine's part in what is claimed. */
export interface Seat {
  /** Name in the inventory. */
  readonly host: string;
  /** Where the configuration names it: `["workers", 1]`. */
  readonly path: Key;
  /** The part it plays, in the operator's words: `leader`. */
  readonly role: string;
}

/** Who may connect to a port: a host by its name in the inventory, or an address or network. */
export type Source = string | { readonly address: string };

/** Whom a port is open to: everyone who reaches the machine, only the machine itself, or only some. */
type Audience =
  | { readonly from: "itself" | readonly Source[] }
  /**
   * Why it is safe to let everyone in: a key is asked for, the protocol has one, or the operator said that it
   * is meant.
   */
  | { readonly from: "everyone"; readonly safe: "api key" | "encrypted" | "meant" }
  /** It is not: which key of the configuration is missing, and what can be done. */
  | { readonly from: "everyone"; readonly missing: { readonly path: Key; readonly cure: string } };

/** A port of a machine. */
export type Exposure = Audience & {
  readonly host: string;
  /** @default "tcp" */
  readonly protocol?: "tcp" | "udp";
  readonly port: number;
  /** Where the configuration sets the port: `["rpcPort"]`. */
  readonly path: Key;
  /** What listens there, in the operator's words: `the API`. */
  readonly what: string;
};

/** A package of the distribution on a machine, in one version. */
export interface PackageClaim {
  readonly host: string;
  readonly name: string;
  /** Exact version, or `any`. */
  readonly version: string;
  /** Where the configuration names it: `["build", "packages", "llama.cpp"]`. */
  readonly path: Key;
}

/**
 * What something takes up on the machines, known from the configuration alone, before anything is declared.
 */
export interface Placement {
  /** Platforms on which its parts can run. */
  readonly platforms: readonly string[];
  readonly seats: readonly Seat[];
  readonly exposures: readonly Exposure[];
  readonly packages: readonly PackageClaim[];
}

/**
 * What stands at one place of the configuration takes up this. The rules across hosts and the firewalls know
 * claims alone, whatever stands behind one: a service, the openings of the base, a gateway, an exporter, a
 * tailnet.
 */
export interface Claim {
  /** Where it stands: `["services", "big"]`. Paths of its parts are below this one. */
  readonly path: Key;
  /**
   * Its name for operators, in errors and beside the rules of a firewall; none: its parts speak for
   * themselves.
   */
  readonly name?: string;
  readonly placement: Placement;
}

/** A port of a machine as its firewall guards it. */
export interface Opening {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** Addresses and networks that are let in; none: only the machine itself. */
  readonly from: "any" | readonly string[];
  /** For whom, in the operator's words: `big: the RPC worker`. */
  readonly why: string;
}
