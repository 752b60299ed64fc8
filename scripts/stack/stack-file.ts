import { existsSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Survey } from "#checks/survey.ts";
import type { Project } from "#scripts/pulumi/pulumi.ts";
import { namespaces, type RawConfiguration } from "#stacks/schema.ts";
import { parseYaml, removeIn, setIn } from "./yaml-edit.ts";

/** Hosts and services in the text of a stack file, edited so that every other byte of the file stays. */

type Fields = Readonly<Record<string, unknown>>;

/** A new host or service: its fields, and the same as lines of YAML with comments. */
export interface NewEntry {
  readonly fields: Fields;
  readonly lines: readonly string[];
}

const testHosts = "gpuhost:hosts";

/** The hosts by name, unchecked. Throws where the file cannot be read. */
export function hostsIn(text: string): Readonly<Record<string, Fields>> {
  const { config } = (parseYaml(text).toJS() ?? {}) as { config?: { [testHosts]?: Record<string, Fields> } };
  // A map without what every object has, so that a name is found only where it stands.
  const hosts: Record<string, Fields> = Object.assign(Object.create(null), config?.[testHosts]);
  if (Object.hasOwn(hosts, "secure"))
    throw new Error(`${testHosts} is encrypted as a whole; it holds no secret: write it in plain`);
  return hosts;
}

/** The text with one more host, after those there are. */
export function withHost(text: string, name: string, { fields, lines }: NewEntry): string {
  return setIn(text, ["config", testHosts, name], fields, [...lines]);
}

/** The text with a host's facts replaced or added; facts that are not given stay as they are. */
export function withFacts(text: string, name: string, facts: Survey["facts"]): string {
  const entry = hostsIn(text)[name] ?? {};
  return Object.entries(facts)
    .filter(([key, value]) => value !== undefined && !isDeepStrictEqual(entry[key], value))
    .reduce((before, [key, value]) => setIn(before, ["config", testHosts, name, key], value), text);
}

const services = "gpu-hosts:services";

/** The services by name, unchecked. */
export function servicesIn(text: string): Readonly<Record<string, unknown>> {
  return (configurationIn(text).services ?? {}) as Readonly<Record<string, unknown>>;
}

/** The text with one more service, after those there are. */
export function withService(text: string, name: string, { fields, lines }: NewEntry): string {
  return setIn(text, ["config", services, name], fields, [...lines]);
}

/** The text without a service, its comments and, if it was the only one, the key that held it. */
export const withoutService = (text: string, name: string): string =>
  removeIn(text, ["config", services, name]);

/** A key of ours as it stands in the stack file. */
export const configKey = (key: string) => `${namespaces[key as keyof typeof namespaces]}:${key}`;

/** What stands for a secret where only the file was read, so that it is not missing. */
const unread = "encrypted-in-the-stack-file";

/** The keys of ours out of a stack file; secrets stay encrypted, and a word stands for each. */
export function configurationIn(text: string): RawConfiguration {
  const { config = {} } = (parseYaml(text).toJS() ?? {}) as { config?: Record<string, unknown> };
  return Object.fromEntries(
    Object.keys(namespaces).map((key) => [key, withoutSecrets(config[configKey(key)])]),
  );
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secure") return unread;
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutSecrets(inner)]));
}

/** Where Pulumi keeps the configuration of a stack, also of one named `organisation/project/stack`. */
export const stackFileOf = ({ folder }: Project, stack: string) =>
  join(folder, `Pulumi.${stack.slice(stack.lastIndexOf("/") + 1)}.yaml`);

/** The text of a stack file; undefined if there is none. */
export function readStackFile(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Puts a text in place as a whole or not at all. */
export function writeStackFile(file: string, text: string): void {
  const place = existsSync(file) ? realpathSync(file) : file;
  const mode = existsSync(place) ? statSync(place).mode & 0o777 : 0o644;
  writeFileSync(`${place}.new`, text, { mode });
  renameSync(`${place}.new`, place);
}
