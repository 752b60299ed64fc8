import { pathText } from "#inventory/problems.ts";
import type { AnyDefinition, Config, Finding, Path } from "#provider/contract/resource.ts";
import { type Witness, witness as witnessSchema } from "#provider/contract/witness.ts";
import { valueAt } from "#provider/converge/compare.ts";
import { definitions } from "#provider/resources/index.ts";
import { harmless } from "#transport/harmless.ts";
import { migrateInputs } from "./migrate.ts";
import { unwrap, wrap } from "./secrets.ts";

/** One resource as the engine speaks of it. */
export interface ResourceName {
  readonly urn: string;
  readonly definition: AnyDefinition;
  /** Its Pulumi name. */
  readonly name: string;
}

/** A resource as it goes into the state; secrets wrapped. */
export interface State {
  readonly id: string;
  readonly inputs: unknown;
  readonly properties: unknown;
}

/** Reads a URN. Throws, naming the types there are, if it is of a type that this release does not know. */
export function readUrn(urn: string): ResourceName {
  const [, , types = "", name = ""] = urn.split("::");
  const type = types.split("$").at(-1)?.split(":").at(-1) ?? "";
  const definition = definitions.get(type);
  if (!definition)
    throw new Error(
      `gpuhost has no resource ${type}; it has ${[...definitions.keys()].join(", ")}.\n` +
        "  If it stands in the state of the stack, a newer gpu-hosts wrote that: go on with that release.",
    );
  return { urn, definition, name };
}

/**
 * Findings as the state keeps them, since what a refresh saw must stay in sight until an `up` has repaired
 * it: path → text.
 */
export type StateFindings = Readonly<Record<string, string>>;

/** Inputs or state as they came, with secrets unwrapped and the parts of ours told apart. */
export interface Opened {
  readonly host: string;
  readonly witness: Witness | undefined;
  readonly config: Config;
  readonly secretPaths: readonly Path[];
  readonly applied: Config | undefined;
  /** What the last read found wrong on the host, by path; empty after an `up`. */
  readonly findings: StateFindings;
  /**
   * URN under which the host's record has its items; another than today's after `pulumi stack rename`, say.
   */
  readonly claimedAs: string | undefined;
}

/** Version of the inputs that a resource's state was written with. */
export const versionOf = (definition: AnyDefinition, state: unknown): number => {
  const version = (state as { schemaVersion?: unknown } | undefined)?.schemaVersion;
  return typeof version === "number" ? version : definition.version;
};

/** @param version of old inputs, which do not carry it themselves: {@link versionOf} their state */
export function open(
  definition: AnyDefinition,
  raw: unknown,
  version: number = versionOf(definition, raw),
): Opened {
  const { value, secretPaths } = unwrap(raw);
  const {
    host,
    witness,
    applied,
    status: _status,
    findings = {},
    schemaVersion: _version,
    claimedAs,
    ...config
  } = (value ?? {}) as Record<string, unknown>;
  return {
    host: String(host ?? ""),
    witness: witnessSchema.safeParse(witness).data,
    config: migrateInputs(definition, config, version),
    secretPaths,
    applied: applied ? migrateInputs(definition, applied as Config, version) : undefined,
    findings: findings as StateFindings,
    claimedAs: typeof claimedAs === "string" ? claimedAs : undefined,
  };
}

/** Secret marks hold for the same place in inputs, properties and `applied`. */
export function wrapState(value: unknown, secretPaths: readonly Path[]): unknown {
  const bare = secretPaths.map((path) => (path[0] === "applied" ? path.slice(1) : path));
  return wrap(value, [...bare, ...bare.map((path) => ["applied", ...path])]);
}

/** Outputs of a resource as they stand in the state. */
export function stateProperties(
  definition: AnyDefinition,
  host: string,
  config: Config,
  applied: Config,
  more: {
    readonly status?: unknown;
    readonly findings?: StateFindings;
    readonly claimedAs?: string | undefined;
  },
) {
  const { status = {}, findings = {}, claimedAs } = more;
  const wrong = Object.keys(findings).length > 0 ? { findings } : {};
  return { host, ...config, applied, status, ...wrong, schemaVersion: definition.version, claimedAs };
}

/** Findings in the form of the state, which Pulumi shows: secrets masked, harmless. */
export const stateFindings = (
  findings: readonly Finding[] = [],
  mask: (text: string) => string,
): StateFindings =>
  Object.fromEntries(findings.map(({ path, text }) => [harmless(pathText(path)), harmless(mask(text))]));

function put(into: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  const record = (into ?? {}) as Record<string, unknown>;
  return { ...record, [head]: put(record[head], rest, value) };
}

/**
 * Wants with the items of `last` beside them: after a failure nobody knows which were reached, and each must
 * be found again.
 */
export function addLastItems(definition: AnyDefinition, want: Config, last: Config | undefined): Config {
  const wanted = new Set(definition.items(want).map((item) => item.name));
  return (last ? definition.items(last) : [])
    .filter((item) => !wanted.has(item.name))
    .reduce((both, { path }) => put(both, path, valueAt(last, path)) as Config, want);
}

/** Wants for an import, where nothing but the id `<host>:<rest>` is known. */
export function wantsFromId(definition: AnyDefinition, id: string): { host: string; config: Config } {
  const [host = "", ...rest] = id.split(":");
  if (!definition.fromId || rest.length === 0) {
    throw new Error(`${definition.type} ${id} cannot be imported: the id must be <host>:<name on the host>`);
  }
  return { host, config: definition.inputs.parse(definition.fromId(rest.join(":"))) as Config };
}
