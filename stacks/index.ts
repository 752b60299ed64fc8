import "./load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import { LinuxGuest, LinuxHost, LostHost } from "#components/linux-host/linux-host.ts";
import { Llamacpp } from "#components/llamacpp/llamacpp.ts";
import type { EngineArgs, ServedModel, ServingHost } from "#components/serving/serving-host.ts";
import { type Announced, announceOutages } from "./announce.ts";
import {
  type Configuration,
  ConfigurationError,
  namespaces,
  parseConfiguration,
  placement,
  type RawConfiguration,
  type Service,
} from "./config.ts";
import { askedOfOthers } from "./guests.ts";
import { curlLine } from "./outputs.ts";
import { groupAddress, openings } from "./topology.ts";

type Component = new (name: string, args: EngineArgs<Service>) => ServedModel;

/** The component of each engine. */
const components: Readonly<Record<Service["engine"], Component>> = { llamacpp: Llamacpp };

/** Refuses a wrong configuration before anything is declared, so that no host is touched. */
function readConfiguration(): Configuration {
  const read = ([key, namespace]: [string, string]) => [key, new pulumi.Config(namespace).getObject(key)];
  const raw = Object.fromEntries(Object.entries(namespaces).map(read)) as RawConfiguration;
  try {
    return parseConfiguration(raw, {
      keys: Object.keys(pulumi.runtime.allConfig()),
      stack: pulumi.getStack(),
    });
  } catch (error) {
    // A stack trace tells an operator nothing.
    throw error instanceof ConfigurationError ? new pulumi.RunError(error.message) : error;
  }
}

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

/** The base of every machine that stays, with what the services on it open. */
function declareHosts({ hosts, credentials, services, base }: Configuration): Record<string, ServingHost> {
  const placements = Object.entries(services).map(([name, service]) => [name, placement(service)] as const);
  const open = openings({ hosts, placements: Object.fromEntries(placements) });
  for (const line of askedOfOthers(hosts, open)) void pulumi.log.warn(line);
  const serving: Record<string, ServingHost> = {};
  for (const [name, entry] of Object.entries(hosts)) {
    if (entry.retire === "gone") forgetCommands(name, entry.address, base.extraCommands);
    if (entry.retire) continue;
    const args = {
      packages: base.packages,
      heldPackages: base.heldPackages,
      openings: [...(open[name] ?? []), ...(base.openings[name] ?? [])],
      extraCommands: base.extraCommands[name] ?? [],
      login: { ...entry, ...credentials[name] },
    };
    const { parts } = entry.base ? new LinuxHost(name, args) : new LinuxGuest(name);
    const { address } = entry;
    serving[name] = { name, address, groupAddress: groupAddress(entry), record: entry, base: parts };
  }
  return serving;
}

/** Every service, and what the stack tells of it: `services`, and a secret `<service>-apiKey` for each that has a key. */
function declareServices({ services, mirrors }: Configuration, hosts: Record<string, ServingHost>) {
  const served: Record<string, Announced & { readonly [key: string]: unknown }> = {};
  const keys: Record<string, pulumi.Output<string>> = {};
  for (const [name, service] of Object.entries(services)) {
    const { url, model, units, generation } = new components[service.engine](name, {
      service,
      hosts,
      mirrors,
    });
    const curl = curlLine(pulumi.getStack(), name, { url, model, secured: service.apiKey !== undefined });
    served[name] = { engine: service.engine, url, model, generation, units, curl };
    if (service.apiKey) keys[`${name}-apiKey`] = pulumi.secret(service.apiKey);
  }
  return { services: served, ...keys };
}

const configuration = readConfiguration();
const outputs = declareServices(configuration, declareHosts(configuration));
// Awaited, or the program might end before the engine has the line.
await announceOutages(outputs.services);

// biome-ignore lint/style/noDefaultExport: Pulumi takes outputs whose names are computed from a default export only
export default outputs;
