import type { AnyDefinition, Change, Config, Observation, Path } from "#provider/contract/resource.ts";

type Plain = Record<string, unknown>;

const isRecord = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a map itself holds: every object answers to `constructor` and its like. */
const own = (map: Plain, key: PropertyKey): unknown =>
  Object.hasOwn(map, key) ? map[key as string] : undefined;

function differences(want: unknown, have: unknown, path: Path): Change[] {
  if (want === undefined && have === undefined) return [];
  if (want === undefined) return [{ path, kind: "delete", have }];
  if (have === undefined) return [{ path, kind: "add", want }];
  if (isRecord(want) && isRecord(have)) {
    const keys = [...new Set([...Object.keys(want), ...Object.keys(have)])];
    return keys.flatMap((key) => differences(own(want, key), own(have, key), [...path, key]));
  }
  if (Array.isArray(want) && Array.isArray(have) && JSON.stringify(want) === JSON.stringify(have)) return [];
  return want === have ? [] : [{ path, kind: "update", want, have }];
}

/**
 * Every difference between the wants of a resource and what was seen on the host, findings too; none means in
 * sync.
 */
export function compare(
  want: Config | undefined,
  have: Pick<Observation<Config>, "config" | "findings"> | undefined,
): readonly Change[] {
  const findings = (have?.findings ?? []).map(({ path, text }): Change => ({ path, kind: "finding", text }));
  return [...differences(want, have?.config, []), ...findings];
}

/** Whether a path is that of a thing or lies in it. */
export const liesIn = (path: Path, thing: Path): boolean => thing.every((part, i) => path[i] === part);

/** What stands at a path, `undefined` if the way there breaks off. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === "object" && at !== null ? own(at as Plain, part) : undefined),
    value,
  );
}

function without(value: unknown, path: Path): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return undefined;
  if (!isRecord(value) || !Object.hasOwn(value, head)) return value;
  const { [head]: inner, ...others } = value;
  const left = without(inner, rest);
  return left === undefined ? others : { ...others, [head]: left };
}

/**
 * A configuration less some of its items; `undefined` once no item is left, so that a resource whose last
 * item is gone compares as absent.
 */
export function withoutItems(
  definition: AnyDefinition,
  config: Config,
  gone: ReadonlySet<string>,
): Config | undefined {
  const items = definition.items(config);
  if (items.length > 0 && items.every((item) => gone.has(item.name))) return undefined;
  return items
    .filter((item) => gone.has(item.name))
    .reduce<unknown>((left, item) => without(left, item.path), config) as Config;
}
