import type { z } from "zod";
import type { MachineRecord } from "./machine.ts";

/** A file of a vendor's. */
export interface VendorFile {
  readonly name: string;
  readonly url: string;
}

/** What one part of the configuration needs of a vendor at some version. */
export interface Need {
  readonly files: readonly VendorFile[];
  /** What goes into the configuration once the files are hashed: where, below the part, and what. */
  pins(sha256: (file: VendorFile) => string): readonly {
    readonly path: readonly string[];
    readonly value: string | Readonly<Record<string, string>>;
  }[];
}

/** What is known when a part's needs are asked. */
export interface Asked {
  readonly version: string;
  /** By name in the inventory. */
  readonly machines: Readonly<Record<string, MachineRecord>>;
  /** Address of the vendor or of a mirror of it. */
  readonly mirror: string;
  /** Whether there is a file at an address; rejects if that cannot be told. */
  exists(url: string): Promise<boolean>;
}

/** A map as it stands in the stack file, unchecked. */
export type RawMap = Readonly<Record<string, unknown>>;

export const isMap = (value: unknown): value is RawMap =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A part of the configuration that may need something of a vendor. */
export interface VendorPart {
  /** Where it stands: `["services", "chat"]`. */
  readonly path: readonly string[];
  /**
   * As it is written, with the version that is to be pinned in its place, so that a placeholder there is no
   * obstacle.
   */
  readonly value: RawMap;
}

/** A project whose files `npm run pin` fetches, hashes and writes into the stack file. */
export interface Vendor {
  /** Key of `gpu-hosts:mirrors` that says where its files come from. */
  readonly mirror: string;
  /** What its versions look like. */
  readonly version: RegExp;
  readonly example: string;
  /** How a stack comes to need it, for one that does not. */
  readonly hint: string;
  /** The parts that may need it, out of all keys of ours in the stack file. */
  parts(configuration: RawMap, version: string): readonly VendorPart[];
  /** What is read of a part; nothing else of it need be right. */
  readonly schema: z.ZodType;
  /** Where in a part the version stands, for errors: `["build"]`. */
  readonly at: readonly string[];
  /**
   * What a part needs, as `schema` has parsed it; `undefined`: nothing. Rejects with what the vendor lacks.
   */
  need(part: unknown, asked: Asked): Promise<Need | undefined>;
}

/** The services of one engine, each with what is to be pinned put in by `withVersion`. */
export function serviceParts(
  engine: string,
  configuration: RawMap,
  withVersion: (service: RawMap) => RawMap,
): VendorPart[] {
  const services = isMap(configuration.services) ? configuration.services : {};
  return Object.entries(services).flatMap(([name, service]) =>
    isMap(service) && service.engine === engine
      ? [{ path: ["services", name], value: withVersion(service) }]
      : [],
  );
}

/** A hash that could be one: not left out, and not 64 times the same digit, as a placeholder is. */
export const isPinned = (text: string | undefined): boolean =>
  /^[0-9a-f]{64}$/.test(text ?? "") && !/^(.)\1*$/.test(text ?? "");

/** The command that writes hashes that are missing, as a cure in an error. */
export const pinCommand = (vendor: string, version: string, stack: string): string =>
  `run: npm run pin ${vendor} ${version} ${stack}`;
