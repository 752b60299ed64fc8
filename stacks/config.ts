import { z } from "zod";
import { llamacpp } from "#components/llamacpp/config.ts";
import type { EngineConfiguration, Placement } from "#components/serving/placement.ts";
import { credentials, type HostEntry, hostEntry, hostName } from "#inventory/inventory.ts";
import { check, lines, type Problem, pathText, suggestion } from "#inventory/problems.ts";
import { topologyProblems } from "./topology.ts";

/** Every engine a service may name; a new one is a component folder and its line here and in index.ts. */
const engines = { llamacpp } as const;

/** `gpu-hosts:services.<name>`: what is served. */
const service = z.discriminatedUnion("engine", [engines.llamacpp.schema]);
export type Service = z.output<typeof service>;

/** Name of a service: part of unit names and paths on the machines, and of the stack's outputs. */
const serviceName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/,
    "a service's name is up to 40 lower case letters, digits and inner hyphens",
  );

export const mirrors = z
  .strictObject({
    hub: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .default("https://huggingface.co")
      .describe("The model hub, or a mirror that answers its paths."),
    llamacpp: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .default("https://github.com/ggml-org/llama.cpp")
      .describe(
        "The llama.cpp project, or a mirror that answers the paths of its releases and source archives.",
      ),
  })
  .describe("Where vendors' files come from, for machines behind a proxy or without internet.");

const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, "must be a package name as apt writes it");

const extraCommand = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/, "must be lower case letters, digits and hyphens")
    .describe("Name of the command in Pulumi's output."),
  create: z.string().min(1).describe("Shell text that runs once, as the login user of the machine."),
  update: z.string().optional().describe("Runs instead of `create` when the texts or triggers change."),
  delete: z
    .string()
    .optional()
    .describe(
      "Runs when the command is taken out, or the machine retires. Of a machine that is gone it is forgotten, if it stands here until the entry goes.",
    ),
  triggers: z.array(z.string()).default([]).describe("Values whose change runs the command again."),
});

const opening = z.strictObject({
  port: z.int().min(1).max(65535).describe("TCP port."),
  from: z
    .union([z.literal("any"), z.array(z.string())], 'must be "any" or a list of addresses and networks')
    .default("any")
    .describe("Addresses and networks that may connect, or `any`; an empty list: only the machine itself."),
  why: z.string().default("").describe("What listens there, shown beside the rule."),
});

const base = z
  .strictObject({
    packages: z
      .array(packageName)
      .default([])
      .describe("Packages on every machine beside those gpu-hosts needs."),
    heldPackages: z
      .array(z.string().min(1))
      .default(["nvidia-", "libnvidia-", "cuda-", "libcuda", "llama.cpp", "libllama", "libggml"])
      .describe(
        "Beginnings of package names that unattended-upgrades leaves alone, as it would restart what serves.",
      ),
    openings: z
      .record(hostName, z.array(opening))
      .default({})
      .describe(
        "Ports by machine that its firewall guards beside those of this stack's services: those of a second stack on it, say.",
      ),
    extraCommands: z
      .record(hostName, z.array(extraCommand))
      .default({})
      .describe(
        "Commands for what gpu-hosts has no resource, by machine. Their effect is not read back, so drift there is not seen.",
      ),
  })
  .describe("What every machine gets that has `base: true`.");

const refreshBeforeUpdate = z
  .boolean()
  .default(false)
  .describe(
    "Look at the hosts before every preview, up and destroy, so that a plain `up` repairs what was changed by hand; each then needs all hosts reachable.",
  );

/** The whole configuration of a stack: every key with its meaning and default. What operators read, in one value. */
export const configuration = z.strictObject({
  hosts: z.record(hostName, hostEntry),
  credentials: z.record(hostName, credentials).default({}),
  refreshBeforeUpdate,
  services: z.record(serviceName, service).default({}),
  mirrors: mirrors.prefault({}),
  base: base.prefault({}),
});

/** The configuration of a stack, as the program works with it. */
export type Configuration = Readonly<z.output<typeof configuration>>;

/** The configuration as it stands in the stack file, secrets decrypted; an absent key is `undefined`. */
export type RawConfiguration = { readonly [key in keyof Configuration]: unknown };

/** Keys of the stack file, and the namespace in which each stands: the provider reads the inventory as well. */
export const namespaces: Readonly<Record<keyof Configuration, string>> = {
  hosts: "gpuhost",
  credentials: "gpuhost",
  refreshBeforeUpdate: "gpuhost",
  services: "gpu-hosts",
  mirrors: "gpu-hosts",
  base: "gpu-hosts",
};

/**
 * Keys of ours in the stack file, `<namespace>:<key>`, that mean nothing: a misspelt `services` would be no services at all,
 * and the next `up` would take down what runs. Keys of other namespaces are none of our business.
 */
function strangeKeys(keys: readonly string[]): Problem[] {
  const known = Object.entries(namespaces).map(([key, namespace]) => `${namespace}:${key}`);
  const ours = new Set(Object.values(namespaces));
  return keys
    .filter((key) => ours.has(key.slice(0, key.indexOf(":"))) && !known.includes(key))
    .map((key) => ({ path: [key], text: `is not a known key${suggestion(key, known)}` }));
}

/** The stack file cannot be used; the message has one line for each problem. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
}

/** What a service takes up on the machines. */
export function placement(service: Service): Placement {
  const engine: EngineConfiguration = engines[service.engine];
  return engine.placement(service);
}

/** What only its engine can judge of a service: asked of services that are right in themselves, on hosts that are. */
function engineProblems(
  services: Readonly<Record<string, Service>>,
  stack: string,
  machines: Readonly<Record<string, HostEntry>>,
): Problem[] {
  return Object.entries(services).flatMap(([name, service]) => {
    const engine: EngineConfiguration = engines[service.engine];
    if (!engine.placement(service).seats.every(({ host }) => host in machines)) return [];
    const found = engine.problems?.(service, { stack, machines }) ?? [];
    return found.map(({ path, text }) => ({ path: ["services", name, ...path], text }));
  });
}

interface Checked<T> {
  readonly values: Record<string, T>;
  readonly problems: Problem[];
}

/** Checks the entries of a map one by one, so that a wrong one does not hide the others from the rules across hosts. */
function entries<S extends z.ZodType>(
  key: string,
  raw: unknown,
  name: z.ZodType,
  entry: S,
): Checked<z.output<S>> {
  const map = check(z.record(z.string(), z.unknown()), raw ?? {}, [key]);
  const checked: Checked<z.output<S>> = { values: {}, problems: [...map.problems] };
  for (const [id, value] of Object.entries(map.value ?? {})) {
    const path = [key, id];
    const parsed = check(entry, value, path);
    checked.problems.push(...check(name, id, path).problems, ...parsed.problems);
    if (parsed.value !== undefined) checked.values[id] = parsed.value;
  }
  return checked;
}

function strangers(key: string, named: readonly string[], known: readonly string[]): Problem[] {
  return named
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: [key, name], text: `is no host of gpuhost:hosts${suggestion(name, known)}` }));
}

/** Extra commands connect by themselves, straight to the machine. */
function unreachableCommands(
  named: readonly string[],
  hosts: Readonly<Record<string, HostEntry>>,
): Problem[] {
  return named
    .filter((name) => [hosts[name]?.jump ?? []].flat().length > 0)
    .map((name) => ({
      path: ["base", "extraCommands", name],
      text: `${name} is reached through a jump host (hosts.${name}.jump), which extra commands cannot do; take them out`,
    }));
}

/**
 * What a wrong service would take up, from those of its keys that are right, so that its hosts and ports are checked in the
 * same run; undefined if too little is left.
 */
function salvaged(name: string, raw: unknown, problems: readonly Problem[]): Placement | undefined {
  const wrong = new Set(problems.filter(({ path }) => path[1] === name).map(({ path }) => path[2]));
  const { engine } = (raw ?? {}) as { engine?: keyof typeof engines };
  if (!engine || !(engine in engines)) return undefined;
  const kept = Object.entries(raw as object).filter(([key]) => !wrong.has(key));
  const { value } = check(engines[engine].schema.partial(), Object.fromEntries(kept), []);
  const known = ({ host }: { readonly host: string | undefined }) => host !== undefined;
  const partial = value && placement({ engine, ...value } as Service);
  return (
    partial && { ...partial, seats: partial.seats.filter(known), exposures: partial.exposures.filter(known) }
  );
}

function placements(raw: unknown, services: Checked<Service>): Record<string, Placement> {
  const found = Object.entries((raw ?? {}) as Record<string, unknown>).map(([name, value]) => {
    const service = services.values[name];
    return [name, service ? placement(service) : salvaged(name, value, services.problems)] as const;
  });
  return Object.fromEntries(found.filter((entry): entry is [string, Placement] => entry[1] !== undefined));
}

const keysOf = (raw: unknown): string[] => (typeof raw === "object" && raw !== null ? Object.keys(raw) : []);

/**
 * Checks a whole configuration, each value and the rules across hosts. Throws one ConfigurationError with every problem,
 * a line each, in the words of the stack file.
 *
 * @param keys all keys of the stack file with their namespace, so that one of ours that is misspelt is found
 * @param stack its name, for commands that an error tells to run
 */
export function parseConfiguration(
  raw: RawConfiguration,
  { keys = [], stack = "STACK" }: { readonly keys?: readonly string[]; readonly stack?: string } = {},
): Configuration {
  const hosts = entries<z.ZodType<HostEntry>>("hosts", raw.hosts, hostName, hostEntry);
  const secrets = entries("credentials", raw.credentials, z.string(), credentials);
  const services = entries("services", raw.services, serviceName, service);
  const mirror = check(mirrors, raw.mirrors ?? {}, ["mirrors"]);
  const common = check(base, raw.base ?? {}, ["base"]);
  const refresh = check(refreshBeforeUpdate, raw.refreshBeforeUpdate ?? false, ["refreshBeforeUpdate"]);
  const names = keysOf(raw.hosts);
  const own = [
    ...strangeKeys(keys),
    ...hosts.problems,
    ...secrets.problems,
    ...services.problems,
    ...mirror.problems,
    ...common.problems,
    ...refresh.problems,
    ...strangers("credentials", keysOf(raw.credentials), names),
    ...strangers("base.extraCommands", keysOf(common.value?.extraCommands), names),
    ...unreachableCommands(keysOf(common.value?.extraCommands), hosts.values),
    ...strangers("base.openings", keysOf(common.value?.openings), names),
    ...engineProblems(services.values, stack, hosts.values),
  ];
  const across = topologyProblems({
    names,
    hosts: hosts.values,
    placements: placements(raw.services, services),
    ...(common.value ? { base: common.value } : {}),
  });
  const told = new Set(own.map(({ path }) => pathText(path)));
  const problems = [...own, ...across.filter(({ path }) => !told.has(pathText(path)))];
  if (problems.length > 0 || !mirror.value || !common.value) throw new ConfigurationError(report(problems));
  return {
    hosts: hosts.values,
    credentials: secrets.values,
    services: services.values,
    mirrors: mirror.value,
    base: common.value,
    refreshBeforeUpdate: refresh.value ?? false,
  };
}

function report(problems: readonly Problem[]): string {
  const found = lines(problems);
  const count = found.length === 1 ? "1 problem" : `${found.length} problems`;
  return [
    `${count} in the stack's configuration; no host was touched:`,
    ...found.map((line) => `  ${line}`),
  ].join("\n");
}
