/** What was seen of a driver beside its configuration. A type, as an interface is no record. */
export type NvidiaStatus = {
  /** Version of the module in the running kernel. */
  readonly loaded: string | null;
  /** Version of the libraries on disk. */
  readonly installed: string | null;
  /** Cards on the bus. */
  readonly cards: readonly string[];
  /** Our packages by name. */
  readonly packages: Readonly<Record<string, string>>;
  readonly wsl: boolean;
  /** A driver of another source, with the way to be rid of it. */
  readonly foreign: string | null;
  /** What stands against loading a module; null: nothing. */
  readonly secureBoot: string | null;
  /** Packages that are to be installed now. */
  readonly missing: readonly string[];
  /** Parts of which the repository has no package. */
  readonly unknown: readonly string[];
  readonly needsRestart: boolean;
};
