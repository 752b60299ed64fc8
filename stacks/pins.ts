import { engines as allEngines, type Engines } from "#components/engines.ts";
import type { Asked, Need, RawMap, Vendor } from "#components/serving/vendor.ts";
import { hosts } from "#inventory/inventory.ts";
import { parseValue, pathText, problemReport } from "#inventory/problems.ts";
import { mirrorsSchema, type RawConfiguration } from "./schema.ts";

type Vendors = Readonly<Record<string, Vendor>>;

/**
 * Every vendor whose files `npm run pin` pins: those of the engines. One of something else is a further line
 * here.
 */
const vendorsOf = (engines: Engines): Vendors =>
  Object.assign({}, ...Object.values(engines).map(({ vendors }) => vendors));

/** What a part of the stack's configuration needs. */
export interface PartNeed extends Need {
  /** Where it stands: `["services", "chat"]`. */
  readonly path: readonly string[];
  /** Where in it the version stands, in one text for the operator: `services.chat.build`. */
  readonly where: string;
}

/**
 * What a stack needs of a vendor at a version. Throws with what is wrong, in the operator's words.
 *
 * @param raw all keys of ours as they stand in the stack file
 */
export async function needsOf(
  what: string,
  version: string,
  raw: RawConfiguration,
  exists: Asked["exists"],
  engines: Engines = allEngines,
  vendors: Vendors = vendorsOf(engines),
): Promise<PartNeed[]> {
  const vendor = Object.hasOwn(vendors, what) ? vendors[what] : undefined;
  if (!vendor) throw new Error(`${what} cannot be pinned; what can: ${Object.keys(vendors).join(", ")}`);
  if (!vendor.version.test(version)) {
    throw new Error(`${version} is no version of ${what}; they look like ${vendor.example}`);
  }
  const machines = parseValue(hosts, raw.hosts ?? {}, ["hosts"]);
  const mirrors = parseValue(mirrorsSchema(engines), raw.mirrors ?? {}, ["mirrors"]);
  const parts = vendor
    .parts(raw as RawMap, version)
    .map(({ path, value }) => ({ path, ...parseValue(vendor.schema, value, path) }));
  const problems = [machines, mirrors, ...parts].flatMap(({ problems }) => problems);
  const mirror = mirrors.value?.[vendor.mirror];
  if (problems.length > 0 || !machines.value || mirror === undefined) {
    throw new Error(problemReport("the stack's configuration cannot be used", problems));
  }

  const needs: PartNeed[] = [];
  for (const { path, value } of parts) {
    const where = pathText([...path, ...vendor.at]);
    const asked = { version, machines: machines.value, mirror, exists };
    const need = await vendor.need(value, asked).catch((error: Error) => {
      throw new Error(`${where}: ${error.message}`, { cause: error });
    });
    if (need) needs.push({ ...need, path, where });
  }
  if (needs.length === 0) {
    throw new Error(`nothing in the stack needs ${what} in a way that has something to pin; ${vendor.hint}`);
  }
  return needs;
}
