import type { HostEntry } from "#inventory/inventory.ts";
import { parseValue, pathText } from "#inventory/problems.ts";
import type { AnyDefinition } from "#provider/contract/resource.ts";
import { witness as witnessSchema } from "#provider/contract/witness.ts";
import { type Acting, type Converged, converge, dismantle } from "#provider/converge/converge.ts";
import { HostError } from "#transport/errors.ts";
import type { Machine, System } from "#transport/host.ts";
import { selfOf, warnOfNamesakes } from "./claim.ts";
import { type DetailedChange, differ } from "./differ.ts";
import { errorMessage, resourceErrorText } from "./errors.ts";
import { masker } from "./masker.ts";
import { preview } from "./preview.ts";
import type { Runtime } from "./runtime.ts";
import { unknownPaths, unwrap, wrap } from "./secrets.ts";
import {
  addLastItems,
  type Opened,
  open,
  type ResourceName,
  readUrn,
  type State,
  stateProperties,
  versionOf,
  wrapState,
} from "./state.ts";
import { InitFailed } from "./wire.ts";
import { askWitness } from "./witness.ts";

const changeSeconds = 60;

function acting(runtime: Runtime, machine: Machine, { urn }: ResourceName, opened: Opened): Acting {
  return {
    machine,
    holder: runtime.holder,
    signal: runtime.signal,
    mask: masker(opened.config, opened.secretPaths),
    report: (line) => runtime.log(urn, "progress", line),
  };
}

/** Does some work on a machine, while the resource's status line tells of a connection that has gone silent. */
async function watched<T>(work: Promise<T>, { machine, report }: Acting): Promise<T> {
  const stop = machine.watch((line) => void report(line));
  try {
    return await work;
  } finally {
    stop();
  }
}

/** One failed key of `check`, by the path an operator can find. */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

function hostFailures({ inventory }: Runtime, property: string, host: unknown): CheckFailure[] {
  if (typeof host === "string" && Object.hasOwn(inventory.hosts, host)) return [];
  const known = Object.keys(inventory.hosts).join(", ") || "no host";
  return [{ property, reason: `${JSON.stringify(host)} is not in gpuhost:hosts, which has ${known}` }];
}

/** Which systems a machine of a platform runs: those that its resources may act on. */
const systemsOf: Readonly<Record<HostEntry["platform"], readonly System[]>> = { linux: ["linux"] };

const systemWords: Readonly<Record<System, string>> = { linux: "Linux", windows: "Windows" };

/** A resource that acts on a system which its host does not run. */
function systemFailures({ inventory }: Runtime, host: unknown, definition: AnyDefinition): CheckFailure[] {
  const platform = inventory.hosts[String(host)]?.platform;
  const { on = "linux", type } = definition;
  if (platform === undefined || systemsOf[platform].includes(on)) return [];
  const reason = `${type} acts on ${systemWords[on]}; ${host} is a ${platform} machine`;
  return [{ property: "host", reason }];
}

function witnessFailures(runtime: Runtime, witness: unknown): CheckFailure[] {
  if (witness === undefined) return [];
  const { value, problems } = parseValue(witnessSchema, witness, ["witness"]);
  if (value) return hostFailures(runtime, "witness.host", value.host);
  return problems.map(({ path, text }) => ({ property: pathText(path), reason: text }));
}

/**
 * Parses inputs strictly and fills in defaults. A key whose value is not known yet during preview is taken as
 * it is.
 */
export function check(
  runtime: Runtime,
  urn: string,
  news: unknown,
): { inputs: unknown; failures: CheckFailure[] } {
  const { definition } = readUrn(urn);
  const { value, secretPaths } = unwrap(news);
  const { host, witness, ...config } = value as Record<string, unknown>;
  const failures = [
    ...hostFailures(runtime, "host", host),
    ...systemFailures(runtime, host, definition),
    ...witnessFailures(runtime, witness),
  ];
  const parsed = parseValue(definition.inputs, config, []);
  if (parsed.value) return { inputs: wrap({ host, witness, ...parsed.value }, secretPaths), failures };
  const unknowns = unknownPaths(config).map(pathText);
  for (const { path, text } of parsed.problems) {
    const property = pathText(path);
    if (!unknowns.some((unknown) => unknown.startsWith(property))) failures.push({ property, reason: text });
  }
  return { inputs: news, failures };
}

/** What `up` would change, from state alone. */
export function diff(
  urn: string,
  oldInputs: unknown,
  oldProperties: unknown,
  news: unknown,
): readonly DetailedChange[] {
  const { definition } = readUrn(urn);
  const state = open(definition, oldProperties);
  const inputs = open(definition, oldInputs, versionOf(definition, oldProperties));
  const wanted = open(definition, news);
  return differ(
    definition,
    { host: inputs.host, inputs: inputs.config, applied: state.applied, findings: state.findings },
    { host: wanted.host, inputs: wanted.config },
  );
}

async function reachToChange(runtime: Runtime, it: ResourceName, host: string): Promise<Machine> {
  const reach = await runtime.reach(host, {
    on: it.definition.on,
    withinSeconds: changeSeconds,
    urn: it.urn,
  });
  if (reach.state === "reachable") return reach.host;
  throw reach.state === "absent"
    ? new Error(`${it.definition.type} ${it.name} on ${host}: ${reach.reason}`)
    : unreachedError(it, reach.error);
}

/** The error of a host that did not let us in, in the form of all others. */
function unreachedError(it: ResourceName, error: Error): Error {
  if (!(error instanceof HostError)) return error;
  return new Error(resourceErrorText(error.host, error, it, error, String), { cause: error });
}

/**
 * Brings a resource about. If that fails, before or after its host was touched, the error also says what the
 * resource's witness sees.
 */
async function bringAbout(
  runtime: Runtime,
  it: ResourceName,
  news: unknown,
  old?: { id: string } & Pick<Opened, "applied" | "secretPaths" | "claimedAs">,
): Promise<State> {
  const { definition, urn } = it;
  const opened = open(definition, news);
  const { host, config: want, secretPaths } = opened;
  const last = old?.applied;
  const id = old?.id ?? `${host}:${definition.id(want)}`;
  const claimant = selfOf(runtime, urn, { ...opened, claimedAs: old?.claimedAs });
  let machine: Machine | undefined;
  let touched = false;
  try {
    machine = await reachToChange(runtime, it, host);
    const how: Acting = {
      ...acting(runtime, machine, it, opened),
      onStep: () => {
        touched = true;
      },
    };
    const converged: Converged = await watched(converge({ definition, claimant, want, last }, how), how);
    await warnOfNamesakes(runtime, urn, host, converged.namesakes);
    if (converged.adopted.length > 0) {
      const names = converged.adopted.map(({ name }) => name);
      await runtime.log(urn, "info", `took over: ${names.join(", ")}`);
    }
    const { status } = converged.observation;
    const state = stateProperties(definition, host, want, want, { status, claimedAs: urn });
    return { id, inputs: news, properties: wrapState(state, secretPaths) };
  } catch (error) {
    const mask = masker(want, secretPaths);
    const what = machine ? resourceErrorText(host, machine, it, error, mask) : errorMessage(error);
    const message = what + mask(await askWitness(runtime, { urn, host, witness: opened.witness }));
    if (!touched) throw new Error(message, { cause: error });
    const tried = addLastItems(definition, want, last);
    const marks = [...secretPaths, ...(old?.secretPaths ?? [])];
    // The record may have the old name still or the new one already; today's is known anyway.
    const state = stateProperties(definition, host, want, tried, { claimedAs: old?.claimedAs ?? urn });
    throw new InitFailed(message, { id, inputs: news, properties: wrapState(state, marks) });
  }
}

/** Brings a new resource about, or tells what that would do. */
export async function create(
  runtime: Runtime,
  urn: string,
  news: unknown,
  isPreview: boolean,
): Promise<State> {
  const it = readUrn(urn);
  if (!isPreview) return await bringAbout(runtime, it, news);
  await preview(runtime, it, open(it.definition, news), undefined);
  return { id: "", inputs: news, properties: news };
}

/** Brings a resource of the state about anew, or tells what that would do. */
export async function update(
  runtime: Runtime,
  urn: string,
  old: { id: string; properties: unknown },
  news: unknown,
  isPreview: boolean,
): Promise<State> {
  const it = readUrn(urn);
  const state = open(it.definition, old.properties);
  if (!isPreview) return await bringAbout(runtime, it, news, { id: old.id, ...state });
  await preview(runtime, it, open(it.definition, news), state.applied ?? state.config);
  return { id: old.id, inputs: news, properties: news };
}

/**
 * Takes the resource off its host. A host that is gone is forgotten, one that nobody knows is an error with
 * two ways out.
 */
export async function remove(
  runtime: Runtime,
  urn: string,
  id: string,
  oldProperties: unknown,
): Promise<void> {
  const it = readUrn(urn);
  const opened = open(it.definition, oldProperties);
  const { host } = opened;
  const known = runtime.inventory.hosts[host];
  if (!known) {
    throw new Error(
      `${it.definition.type} ${it.name} (${id}) is to be removed, but gpuhost:hosts has no ${host}. Put its entry back with\n` +
        "  retire: true   to have our parts removed from the machine over SSH, or\n" +
        "  retire: gone   if the machine does not exist any more; then run `up` again and delete the entry after it.",
    );
  }
  if (known.retire === "gone") {
    await runtime.log(
      urn,
      "warning",
      `${host} is gone: ${it.definition.type} ${it.name} is forgotten, nothing was removed`,
    );
    return;
  }
  const reach = await runtime.reach(host, { on: it.definition.on, withinSeconds: changeSeconds, urn });
  if (reach.state === "absent") return;
  if (reach.state === "unreachable") throw unreachedError(it, reach.error);
  const last = opened.applied ?? opened.config;
  try {
    const how = acting(runtime, reach.host, it, { ...opened, config: last });
    const claimant = selfOf(runtime, urn, opened);
    await watched(dismantle({ definition: it.definition, claimant, last }, how), how);
  } catch (error) {
    const mask = masker(last, opened.secretPaths);
    throw new Error(resourceErrorText(host, reach.host, it, error, mask), { cause: error });
  }
}
