import type { z } from "zod";
import { schema } from "#components/llamacpp/config.ts";
import { llamacppNeed } from "#components/llamacpp/pin.ts";
import type { Asked, Need } from "#components/serving/vendor.ts";
import { hosts } from "#inventory/inventory.ts";
import { check, lines, type Problem } from "#inventory/problems.ts";
import { mirrors, type RawConfiguration } from "./config.ts";

/** A vendor whose files are pinned, by its key in `mirrors`. */
interface Vendor {
  /** What its versions look like. */
  readonly version: RegExp;
  readonly example: string;
  /** How a service comes to need it, for a stack in which none does. */
  readonly hint: string;
  /** What is read of a service; nothing of the others. With the version in place, so that a placeholder is no obstacle. */
  readonly service: z.ZodType;
  withVersion(service: Plain, version: string): Plain;
  /** What a service needs, as `service` has parsed it; `undefined`: nothing. */
  need(service: unknown, asked: Asked): Promise<Need | undefined>;
}
type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every vendor whose files `npm run pin` pins; a new one is its line here. */
const vendors: Readonly<Record<"llamacpp", Vendor>> = {
  llamacpp: {
    version: /^[bv]\d[\d.]*$/,
    example: "b11669",
    hint: "give it `build: { release: { tag: b11669 } }`",
    service: schema.pick({ leader: true, workers: true, build: true }).loose(),
    withVersion(service, tag) {
      const build = isPlain(service.build) ? service.build : {};
      const ways = Object.entries(build).map(([way, value]) => [
        way,
        way !== "packages" && (isPlain(value) || value === null) ? { ...value, tag } : value,
      ]);
      return isPlain(service.build) ? { ...service, build: Object.fromEntries(ways) } : service;
    },
    need: llamacppNeed,
  },
};

/** What can be pinned. */
export const pinnable = Object.keys(vendors);

/** What a service of the stack needs. */
export interface ServiceNeed extends Need {
  readonly service: string;
}

const listed = (problems: readonly Problem[]) =>
  new Error(
    ["the stack's configuration cannot be used:", ...lines(problems).map((line) => `  ${line}`)].join("\n"),
  );

/** What the services of a stack need of a vendor at a version. Throws with what is wrong, in the operator's words. */
export async function needsOf(
  what: string,
  version: string,
  raw: Pick<RawConfiguration, "hosts" | "services" | "mirrors">,
  exists: (url: string) => Promise<boolean>,
): Promise<ServiceNeed[]> {
  const vendor = vendors[what as keyof typeof vendors];
  if (!vendor) throw new Error(`${what} cannot be pinned; what can: ${pinnable.join(", ")}`);
  if (!vendor.version.test(version)) {
    throw new Error(`${version} is no version of ${what}; they look like ${vendor.example}`);
  }
  const machines = check(hosts, raw.hosts ?? {}, ["hosts"]);
  const mirror = check(mirrors, raw.mirrors ?? {}, ["mirrors"]);
  const services = Object.entries(isPlain(raw.services) ? raw.services : {})
    .filter((entry): entry is [string, Plain] => isPlain(entry[1]) && entry[1].engine === what)
    .map(([name, service]) => {
      const checked = check(vendor.service, vendor.withVersion(service, version), ["services", name]);
      return { name, ...checked };
    });
  const problems = [machines, mirror, ...services].flatMap(({ problems }) => problems);
  if (problems.length > 0 || !machines.value || !mirror.value) throw listed(problems);

  const needs: ServiceNeed[] = [];
  for (const { name, value } of services) {
    const asked = {
      version,
      machines: machines.value,
      mirror: mirror.value[what as keyof typeof vendors],
      exists,
    };
    const need = await vendor.need(value, asked).catch((error: Error) => {
      throw new Error(`services.${name}.build: ${error.message}`, { cause: error });
    });
    if (need) needs.push({ ...need, service: name });
  }
  if (needs.length === 0) {
    throw new Error(
      `no service of the stack installs ${what} in a way that has something to pin; ${vendor.hint}`,
    );
  }
  return needs;
}
