import { z } from "zod";
import { engines as allEngines, type Engines } from "#components/engines.ts";
import { driverProblems } from "#components/nvidia/driver-wants.ts";
import type { Service } from "#components/serving/engine.ts";
import { credentials, type HostEntry, hostEntry } from "#inventory/inventory.ts";
import { hostName } from "#inventory/kinds.ts";
import { type Problem, parseValue, pathText, problemLines, suggestion } from "#inventory/problems.ts";
import { claimsOf, engineOf } from "./claims.ts";
import { fitWarnings, type JudgedBy, judgeServices } from "./fit.ts";
import {
  baseSchema,
  type Configuration,
  mirrorsSchema,
  namespaces,
  type RawConfiguration,
  refreshBeforeUpdate,
  serviceName,
  serviceSchema,
} from "./schema.ts";
import { topologyProblems } from "./topology.ts";

/** The stack file cannot be used; the message has one line for each problem. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
}

/**
 * Keys of ours in the stack file, `<namespace>:<key>`, that mean nothing: a misspelt `services` would be no
 * services at all, and the next `up` would take down what runs. Keys of other namespaces are none of our
 * business.
 */
function unknownKeyProblems(keys: readonly string[]): Problem[] {
  const known = Object.entries(namespaces).map(([key, namespace]) => `${namespace}:${key}`);
  const ours = new Set(Object.values(namespaces));
  return keys
    .filter((key) => ours.has(key.slice(0, key.indexOf(":"))) && !known.includes(key))
    .map((key) => ({ path: [key], text: unknownKeyText(key, known) }));
}

/** One that is right but for its namespace is told as that. */
function unknownKeyText(key: string, known: readonly string[]): string {
  const right = known.find((one) => one.slice(one.indexOf(":")) === key.slice(key.indexOf(":")));
  return right ? `belongs to ${right}; write it there` : `is not a known key${suggestion(key, known)}`;
}

/**
 * What only its engine can judge of a service: asked of services that are right in themselves, on hosts that
 * are.
 */
function engineProblems(
  services: Readonly<Record<string, Service>>,
  { engines, stack, machines }: { engines: Engines; stack: string; machines: Record<string, HostEntry> },
): Problem[] {
  return Object.entries(services).flatMap(([name, service]) => {
    const engine = engineOf(service, engines);
    const seats = engine?.placement(service).seats ?? [];
    if (!seats.every(({ host }) => Object.hasOwn(machines, host))) return [];
    const found = engine?.problems?.(service, { stack, machines }) ?? [];
    return found.map(({ path, text }) => ({ path: ["services", name, ...path], text }));
  });
}

/** Services whose model cannot fit their machines, as far as the model's facts were read before. */
function fitProblems(
  services: Readonly<Record<string, Service>>,
  machines: Readonly<Record<string, HostEntry>>,
  { warn, ...by }: JudgedBy & { readonly warn: (line: string) => void },
): Problem[] {
  const { judged } = judgeServices(services, machines, by);
  for (const line of fitWarnings(judged)) warn(line);
  return judged.flatMap(({ name, fit }) =>
    fit?.decision === "refuse" ? [{ path: ["services", name, "model"], text: fit.text }] : [],
  );
}

interface Checked<T> {
  readonly values: Record<string, T>;
  readonly problems: Problem[];
}

/**
 * Parses the entries of a map one by one, so that a wrong one does not hide the others from the rules across
 * hosts.
 */
function parseEntries<S extends z.ZodType>(
  key: string,
  raw: unknown,
  name: z.ZodType,
  entry: S,
): Checked<z.output<S>> {
  const map = parseValue(z.record(z.string(), z.unknown()), raw ?? {}, [key]);
  const checked: Checked<z.output<S>> = { values: {}, problems: [...map.problems] };
  for (const [id, value] of Object.entries(map.value ?? (isMap(raw) ? raw : {}))) {
    if (id === "__proto__") continue;
    const path = [key, id];
    const parsed = parseValue(entry, value, path);
    checked.problems.push(...parseValue(name, id, path).problems, ...parsed.problems);
    if (parsed.value !== undefined) checked.values[id] = parsed.value;
  }
  return checked;
}

const isMap = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const keysOf = (raw: unknown): string[] => (typeof raw === "object" && raw !== null ? Object.keys(raw) : []);

/** Names in a map by host that are of no host. */
function unknownHostProblems(path: readonly string[], map: unknown, known: readonly string[]): Problem[] {
  return keysOf(map)
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: [...path, name],
      text: `is no host of gpuhost:hosts${suggestion(name, known)}`,
    }));
}

/** What is written for the base of a machine that cannot be done there. */
function baseProblems(
  base: Partial<Configuration["base"]>,
  names: readonly string[],
  hosts: Readonly<Record<string, HostEntry>>,
): Problem[] {
  const { openings, extraCommands } = base;
  const ofOtherStacks = Object.entries({ openings, extraCommands }).flatMap(([key, map]) =>
    keysOf(map)
      .filter((name) => Object.hasOwn(hosts, name) && hosts[name]?.base === false)
      .map((name) => ({
        path: ["base", key, name],
        text: `${name} has \`base: false\`; write this in the stack that has its base`,
      })),
  );
  // They connect by themselves, straight to the machine.
  const behindOthers = keysOf(extraCommands)
    .filter((name) => Object.hasOwn(hosts, name) && [hosts[name]?.jump ?? []].flat().length > 0)
    .map((name) => ({
      path: ["base", "extraCommands", name],
      text: `${name} is reached through a jump host (hosts.${name}.jump), which extra commands cannot do; take them out`,
    }));
  return [
    ...unknownHostProblems(["base", "extraCommands"], extraCommands, names),
    ...behindOthers,
    ...unknownHostProblems(["base", "openings"], openings, names),
    ...ofOtherStacks,
  ];
}

/** What is wished of a machine's NVIDIA driver and cannot be had there. */
const nvidiaProblems = (
  hosts: Readonly<Record<string, HostEntry>>,
  base: Partial<Configuration["base"]>,
): Problem[] =>
  Object.entries(hosts).flatMap(([name, host]) =>
    host.retire
      ? []
      : driverProblems(host, base.nvidiaKey !== undefined).map(({ path, text }) => ({
          path: ["hosts", name, "nvidia", ...path],
          text,
        })),
  );

/**
 * The keys of a wrong service that are right, so that its hosts and ports are checked in the same run. Each
 * is judged alone, since a schema with a rule over the whole has no partial form. Absent ones get their
 * defaults.
 */
function rightKeys(schema: z.ZodObject, raw: object): Partial<Service> {
  const given = raw as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(schema.shape).flatMap(([key, part]) => {
      const { data } = (part as z.ZodType).safeParse(given[key]);
      return data === undefined ? [] : [[key, data]];
    }),
  );
}

/** All services as far as they are right: whole ones, and of wrong ones the keys that are. */
function rightParts(
  raw: unknown,
  services: Readonly<Record<string, Service>>,
  engines: Engines,
): Record<string, Partial<Service>> {
  const found = Object.entries((raw ?? {}) as Record<string, unknown>).flatMap(([name, value]) => {
    if (Object.hasOwn(services, name)) return [[name, services[name] as Service] as const];
    if (typeof value !== "object" || value === null) return [];
    const schema = engineOf(value, engines)?.schema;
    return schema ? [[name, rightKeys(schema, value)] as const] : [];
  });
  return Object.fromEntries(found);
}

interface ParseOptions extends JudgedBy {
  readonly keys?: readonly string[];
  readonly stack?: string;
  readonly warn?: (line: string) => void;
}

/**
 * Checks a whole configuration, each value and the rules across hosts. Throws one ConfigurationError with
 * every problem, a line each, in the words of the stack file.
 *
 * @param keys all keys of the stack file with their namespace, so that one of ours that is misspelt is found
 * @param stack its name, for commands that an error tells to run
 * @param engines what a service may name. Default: every engine
 * @param facts of models, by which services are refused that cannot fit. Default: those that this machine has
 * read before
 * @param warn told of services that are tight, or that an estimate which is not sure says no to
 */
export function parseConfiguration(
  raw: RawConfiguration,
  { keys = [], stack = "STACK", engines = allEngines, facts, warn = () => undefined }: ParseOptions = {},
): Configuration {
  const hosts = parseEntries<z.ZodType<HostEntry>>("hosts", raw.hosts, hostName, hostEntry);
  const secrets = parseEntries("credentials", raw.credentials, hostName, credentials);
  const services = parseEntries("services", raw.services, serviceName, serviceSchema(engines));
  const mirrors = parseValue(mirrorsSchema(engines), raw.mirrors ?? {}, ["mirrors"]);
  const base = parseValue(baseSchema(engines), raw.base ?? {}, ["base"]);
  const refresh = parseValue(refreshBeforeUpdate, raw.refreshBeforeUpdate ?? false, ["refreshBeforeUpdate"]);
  const names = keysOf(raw.hosts);
  const own = [
    ...unknownKeyProblems(keys),
    ...hosts.problems,
    ...secrets.problems,
    ...services.problems,
    ...mirrors.problems,
    ...base.problems,
    ...refresh.problems,
    ...unknownHostProblems(["credentials"], raw.credentials, names),
    ...baseProblems(base.value ?? {}, names, hosts.values),
    ...nvidiaProblems(hosts.values, base.value ?? {}),
    ...engineProblems(services.values, { engines, stack, machines: hosts.values }),
    ...fitProblems(services.values, hosts.values, { engines, warn, ...(facts ? { facts } : {}) }),
  ];
  const parts = rightParts(raw.services, services.values, engines);
  const claims = claimsOf({ services: parts, base: base.value }, engines);
  const across = topologyProblems({ names, hosts: hosts.values, claims });
  const told = new Set(own.map(({ path }) => pathText(path)));
  const problems = [...own, ...across.filter(({ path }) => !told.has(pathText(path)))];
  if (problems.length > 0 || !mirrors.value || !base.value) throw new ConfigurationError(report(problems));
  return {
    hosts: hosts.values,
    credentials: secrets.values,
    services: services.values,
    mirrors: mirrors.value,
    base: base.value,
    refreshBeforeUpdate: refresh.value ?? false,
  };
}

function report(problems: readonly Problem[]): string {
  const found = problemLines(problems);
  const count = found.length === 1 ? "1 problem" : `${found.length} problems`;
  return [
    `${count} in the stack's configuration; no host was touched:`,
    ...found.map((line) => `  ${line}`),
  ].join("\n");
}
