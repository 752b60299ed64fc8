import * as pulumi from "@pulumi/pulumi";
import { components as allComponents } from "#components/engine-components.ts";
import { engines as allEngines, type Engines } from "#components/engines.ts";
import { LinuxGuest, LinuxHost, LostHost } from "#components/linux-host/linux-host.ts";
import { NvidiaDriver } from "#components/nvidia/driver.ts";
import { wishOf } from "#components/nvidia/driver-wants.ts";
import type { EngineComponent, ServingHost } from "#components/serving/engine-component.ts";
import { groupAddress } from "#components/serving/machine.ts";
import type { HostEntry } from "#inventory/inventory.ts";
import type { Announced } from "./announce.ts";
import { claimsOf } from "./claims.ts";
import { unguardedPortWarnings } from "./guests.ts";
import { curlLine } from "./outputs.ts";
import type { Configuration } from "./schema.ts";
import { openingsByHost } from "./topology.ts";

/** Of a machine that is gone, the commands whose `delete` would be run there when they are taken out. */
function forgetCommands(name: string, address: string, all: Configuration["base"]["extraCommands"]): void {
  const extraCommands = (all[name] ?? []).filter((command) => command.delete);
  if (extraCommands.length === 0) return;
  new LostHost(name, { login: { address }, extraCommands });
  const names = extraCommands.map((command) => command.name).join(", ");
  void pulumi.log.warn(
    `${name} is gone: \`delete\` of its extra commands (${names}) will not run. Take base.extraCommands.${name} out together with ` +
      "the machine's entry, after this `up`; taken out before it, they would be run there.",
  );
}

/** The NVIDIA driver of a machine that has a GPU; where another stack has the base, it is that stack's. */
function declareDriver(
  name: string,
  machine: HostEntry,
  source: { readonly mirror: string; readonly key: string | undefined },
  after: readonly pulumi.Resource[],
): readonly pulumi.Resource[] {
  if (!machine.base || wishOf(machine) === undefined) return [];
  return new NvidiaDriver(name, { machine, ...source, after }).parts;
}

/** The base of every machine that stays, with what all that is on it opens. */
function declareHosts(configuration: Configuration, engines: Engines): Record<string, ServingHost> {
  const { hosts, credentials, base, mirrors } = configuration;
  const openings = openingsByHost({ hosts, claims: claimsOf(configuration, engines) });
  for (const line of unguardedPortWarnings(hosts, openings)) void pulumi.log.warn(line);
  const unitPrefixes = Object.values(engines).map(({ unitPrefix }) => unitPrefix);
  const serving: Record<string, ServingHost> = {};
  for (const [name, entry] of Object.entries(hosts)) {
    if (entry.retire === "gone") forgetCommands(name, entry.address, base.extraCommands);
    if (entry.retire) continue;
    const args = {
      packages: base.packages,
      heldPackages: base.heldPackages,
      unitPrefixes,
      openings: openings[name] ?? [],
      extraCommands: base.extraCommands[name] ?? [],
      login: { ...entry, ...credentials[name] },
    };
    const { parts } = entry.base ? new LinuxHost(name, args) : new LinuxGuest(name);
    const { address } = entry;
    const driver = declareDriver(name, entry, { mirror: mirrors.nvidia ?? "", key: base.nvidiaKey }, parts);
    serving[name] = {
      ...{ name, address, groupAddress: groupAddress(entry), record: entry },
      base: [...parts, ...driver],
    };
  }
  return serving;
}

type Components = Readonly<Record<string, EngineComponent<never>>>;

/**
 * Every service, and what the stack tells of it: `services`, and a secret `<service>-apiKey` for each that
 * has a key.
 */
function declareServices(
  { services, mirrors }: Configuration,
  hosts: Record<string, ServingHost>,
  components: Components,
) {
  const served: Record<string, Announced & { readonly [key: string]: unknown }> = {};
  const keys: Record<string, pulumi.Output<string>> = {};
  for (const [name, service] of Object.entries(services)) {
    const Component = components[service.engine];
    if (!Component) throw new Error(`${service.engine} has no component`);
    // The registries pair each schema with its component, which TypeScript cannot follow through a lookup.
    const args = { service, hosts, mirrors } as never;
    const { url, model, units, generation } = new Component(name, args);
    const curl = curlLine(pulumi.getStack(), name, { url, model, secured: service.apiKey !== undefined });
    served[name] = { engine: service.engine, url, model, generation, units, curl };
    if (service.apiKey) keys[`${name}-apiKey`] = pulumi.secret(service.apiKey);
  }
  return { services: served, ...keys };
}

/**
 * Declares all of a stack and returns its outputs.
 *
 * @param registries engines as the configuration was read with, and the component of each. Default: every
 * engine
 */
export function declareStack(
  configuration: Configuration,
  {
    engines = allEngines,
    components = allComponents,
  }: { readonly engines?: Engines; readonly components?: Components } = {},
) {
  return declareServices(configuration, declareHosts(configuration, engines), components);
}
