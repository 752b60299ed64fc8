import type { MachineRecord } from "./placement.ts";

/** A file of a vendor's that a service needs. */
export interface VendorFile {
  readonly name: string;
  readonly url: string;
}

/** What one service needs of a vendor at some version. */
export interface Need {
  readonly files: readonly VendorFile[];
  /** What goes into the configuration once the files are hashed: where, below the service, and what. */
  pins(sha256: (file: VendorFile) => string): readonly {
    readonly path: readonly string[];
    readonly value: string | Readonly<Record<string, string>>;
  }[];
}

/** What is known when a service's needs are asked. */
export interface Asked {
  readonly version: string;
  /** By name in the inventory. */
  readonly machines: Readonly<Record<string, MachineRecord>>;
  /** Address of the vendor or of a mirror of it. */
  readonly mirror: string;
  /** Whether there is a file at an address; rejects if that cannot be told. */
  exists(url: string): Promise<boolean>;
}
