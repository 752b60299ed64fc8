import type { AnyDefinition, Config, Path } from "#provider/contract/resource.ts";
import { type Witness, witness as witnessSchema } from "#provider/contract/witness.ts";
import { valueAt } from "#provider/converge/compare.ts";
import { definitions } from "#provider/resources/index.ts";
import { migrated } from "./migrate.ts";
import { unwrap, wrap } from "./secrets.ts";

/** One resource as the engine speaks of it. */
export interface Named {
  readonly urn: string;
  readonly definition: AnyDefinition;
  /** Its Pulumi name. */
  readonly name: string;
}

export interface State {
  readonly id: string;
  readonly inputs: unknown;
  readonly properties: unknown;
}

export function named(urn: string): Named {
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

/** Inputs or state as they came, with secrets unwrapped and the parts of ours told apart. */
export interface Opened {
  readonly host: string;
  readonly witness: Witness | undefined;
  readonly config: Config;
  readonly secretPaths: readonly Path[];
  readonly applied: Config | undefined;
  /** URN under which the host's record has its items; another than today's after `pulumi stack rename`, say. */
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
    schemaVersion: _version,
    claimedAs,
    ...config
  } = (value ?? {}) as Record<string, unknown>;
  return {
    host: String(host ?? ""),
    witness: witnessSchema.safeParse(witness).data,
    config: migrated(definition, config, version),
    secretPaths,
    applied: applied ? migrated(definition, applied as Config, version) : undefined,
    claimedAs: typeof claimedAs === "string" ? claimedAs : undefined,
  };
}

/** Secret marks hold for the same place in inputs, properties and `applied`. */
export function wrapState(value: unknown, secretPaths: readonly Path[]): unknown {
  const bare = secretPaths.map((path) => (path[0] === "applied" ? path.slice(1) : path));
  return wrap(value, [...bare, ...bare.map((path) => ["applied", ...path])]);
}

export function properties(
  definition: AnyDefinition,
  host: string,
  config: Config,
  applied: Config,
  more: { readonly status?: unknown; readonly claimedAs?: string | undefined },
) {
  const { status = {}, claimedAs } = more;
  return { host, ...config, applied, status, schemaVersion: definition.version, claimedAs };
}

function put(into: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  const record = (into ?? {}) as Record<string, unknown>;
  return { ...record, [head]: put(record[head], rest, value) };
}

/** Wants with the items of `last` beside them: after a failure nobody knows which were reached, and each must be found again. */
export function withLastItems(definition: AnyDefinition, want: Config, last: Config | undefined): Config {
  const wanted = new Set(definition.items(want).map((item) => item.name));
  return (last ? definition.items(last) : [])
    .filter((item) => !wanted.has(item.name))
    .reduce((both, { path }) => put(both, path, valueAt(last, path)) as Config, want);
}

/** Wants for an import, where nothing but the id `<host>:<rest>` is known. */
export function fromId(definition: AnyDefinition, id: string): { host: string; config: Config } {
  const [host = "", ...rest] = id.split(":");
  if (!definition.fromId || rest.length === 0) {
    throw new Error(`${definition.type} ${id} cannot be imported: the id must be <host>:<name on the host>`);
  }
  return { host, config: definition.inputs.parse(definition.fromId(rest.join(":"))) as Config };
}
