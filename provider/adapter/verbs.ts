import { parseValue, pathText } from "#inventory/problems.ts";
import { witness as witnessSchema } from "#provider/contract/witness.ts";
import { type Acting, type Converged, converge, dismantle, observe } from "#provider/converge/converge.ts";
import { HostError } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import { type DetailedChange, differ } from "./differ.ts";
import { preview } from "./preview.ts";
import type { Runtime } from "./runtime.ts";
import { masker, unknownPaths, unwrap, wrap } from "./secrets.ts";
import {
  fromId,
  type Named,
  named,
  type Opened,
  open,
  properties,
  type State,
  versionOf,
  withLastItems,
  wrapState,
} from "./state.ts";
import { messageOf, selfOf, told, warnOfNamesakes } from "./subject.ts";
import { InitFailed } from "./wire.ts";
import { witnessed } from "./witness.ts";

const readSeconds = 15;
const changeSeconds = 60;

function acting(runtime: Runtime, machine: Machine, { urn }: Named, opened: Opened): Acting {
  return {
    machine,
    holder: runtime.holder,
    signal: runtime.signal,
    mask: masker(opened.config, opened.secretPaths),
    report: (line) => runtime.log(urn, "progress", line),
  };
}

/** One failed key of `check`, by the path an operator can find. */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

function hostFailures({ inventory }: Runtime, property: string, host: unknown): CheckFailure[] {
  if (typeof host === "string" && host in inventory.hosts) return [];
  const known = Object.keys(inventory.hosts).join(", ") || "no host";
  return [{ property, reason: `${JSON.stringify(host)} is not in gpuhost:hosts, which has ${known}` }];
}

function witnessFailures(runtime: Runtime, witness: unknown): CheckFailure[] {
  if (witness === undefined) return [];
  const { value, problems } = parseValue(witnessSchema, witness, ["witness"]);
  if (value) return hostFailures(runtime, "witness.host", value.host);
  return problems.map(({ path, text }) => ({ property: pathText(path), reason: text }));
}

/** Parses inputs strictly and fills in defaults. A key whose value is not known yet during preview is taken as it is. */
export function check(
  runtime: Runtime,
  urn: string,
  news: unknown,
): { inputs: unknown; failures: CheckFailure[] } {
  const { definition } = named(urn);
  const { value, secretPaths } = unwrap(news);
  const { host, witness, ...config } = value as Record<string, unknown>;
  const failures = [...hostFailures(runtime, "host", host), ...witnessFailures(runtime, witness)];
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
  const { definition } = named(urn);
  const state = open(definition, oldProperties);
  const inputs = open(definition, oldInputs, versionOf(definition, oldProperties));
  const wanted = open(definition, news);
  return differ(
    definition,
    { host: inputs.host, inputs: inputs.config, applied: state.applied },
    { host: wanted.host, inputs: wanted.config },
  );
}

async function reachToChange(runtime: Runtime, it: Named, host: string): Promise<Machine> {
  const reach = await runtime.reach(host, { withinSeconds: changeSeconds, urn: it.urn });
  if (reach.state === "reachable") return reach.host;
  throw reach.state === "absent"
    ? new Error(`${it.definition.type} ${it.name} on ${host}: ${reach.reason}`)
    : unreached(it, reach.error);
}

/** The error of a host that did not let us in, in the form of all others. */
function unreached(it: Named, error: Error): Error {
  if (!(error instanceof HostError)) return error;
  return new Error(told(error.host, error, it, error, String), { cause: error });
}

async function bringAbout(
  runtime: Runtime,
  it: Named,
  news: unknown,
  old?: { id: string } & Pick<Opened, "applied" | "secretPaths" | "claimedAs">,
): Promise<State> {
  const opened = open(it.definition, news);
  const { host, config: want, secretPaths } = opened;
  const last = old?.applied;
  const machine = await reachToChange(runtime, it, host);
  const id = old?.id ?? `${host}:${it.definition.id(want)}`;
  let touched = false;
  const claimant = selfOf(runtime, it.urn, { ...opened, claimedAs: old?.claimedAs });
  const subject = { definition: it.definition, claimant, want, last };
  try {
    const converged: Converged = await converge(subject, {
      ...acting(runtime, machine, it, opened),
      onStep: () => {
        touched = true;
      },
    });
    await warnOfNamesakes(runtime, it.urn, host, converged.namesakes);
    if (converged.adopted.length > 0) {
      const names = converged.adopted.map(({ name }) => name);
      await runtime.log(it.urn, "info", `took over: ${names.join(", ")}`);
    }
    const { status } = converged.observation;
    const state = properties(it.definition, host, want, want, { status, claimedAs: it.urn });
    return { id, inputs: news, properties: wrapState(state, secretPaths) };
  } catch (error) {
    const message = told(host, machine, it, error, masker(want, secretPaths));
    if (!touched) throw new Error(message, { cause: error });
    const tried = withLastItems(it.definition, want, last);
    const marks = [...secretPaths, ...(old?.secretPaths ?? [])];
    // The record may have the old name still or the new one already; today's is known anyway.
    const state = properties(it.definition, host, want, tried, { claimedAs: old?.claimedAs ?? it.urn });
    throw new InitFailed(message, { id, inputs: news, properties: wrapState(state, marks) });
  }
}

/** {@link bringAbout}, and if it fails the error also says what the resource's witness sees. */
async function bringAboutWitnessed(
  ...[runtime, it, news, old]: Parameters<typeof bringAbout>
): Promise<State> {
  const { host, witness, config, secretPaths } = open(it.definition, news);
  const about = { urn: it.urn, host, witness, mask: masker(config, secretPaths) };
  return await witnessed(runtime, about, () => bringAbout(runtime, it, news, old));
}

export async function create(
  runtime: Runtime,
  urn: string,
  news: unknown,
  isPreview: boolean,
): Promise<State> {
  const it = named(urn);
  if (!isPreview) return await bringAboutWitnessed(runtime, it, news);
  await preview(runtime, it, open(it.definition, news), undefined);
  return { id: "", inputs: news, properties: news };
}

export async function update(
  runtime: Runtime,
  urn: string,
  old: { id: string; properties: unknown },
  news: unknown,
  isPreview: boolean,
): Promise<State> {
  const it = named(urn);
  const state = open(it.definition, old.properties);
  if (!isPreview) return await bringAboutWitnessed(runtime, it, news, { id: old.id, ...state });
  await preview(runtime, it, open(it.definition, news), state.applied ?? state.config);
  return { id: old.id, inputs: news, properties: news };
}

/**
 * Reads what is really there. Both inputs and properties show reality, `applied` stays. A resource of which nothing is left
 * on the host stays in the state as empty, since dropping it would take the drift along with it; `undefined` answers only an
 * import that finds nothing.
 */
export async function read(runtime: Runtime, urn: string, state: State): Promise<State | undefined> {
  const it = named(urn);
  const { definition } = it;
  const empty = (value: unknown) => !value || Object.keys(value).length === 0;
  const isImport = empty(state.inputs) && empty(state.properties);
  const imported = isImport ? fromId(definition, state.id) : undefined;
  const version = versionOf(definition, state.properties);
  const opened = open(definition, empty(state.inputs) ? state.properties : state.inputs, version);
  const { applied, claimedAs = urn, secretPaths: stateSecrets } = open(definition, state.properties);
  const host = imported?.host ?? opened.host;
  const want = imported?.config ?? applied ?? opened.config;
  if (runtime.inventory.hosts[host]?.retire === "gone") return state;
  const reach = await runtime.reach(host, { withinSeconds: readSeconds, urn });
  if (reach.state === "unreachable") throw new InitFailed(messageOf(reach.error), state);
  let seen: Awaited<ReturnType<typeof observe>>;
  try {
    seen = reach.state === "absent" ? undefined : await observe(definition, reach.host, want, want);
  } catch (error) {
    if (reach.state === "absent") throw error;
    const mask = masker(want, [...opened.secretPaths, ...stateSecrets]);
    throw new InitFailed(`could not look: ${told(host, reach.host, it, error, mask)}`, state);
  }
  if (!seen && imported) return undefined;
  const there = seen?.config ?? {};
  const secretPaths = [...opened.secretPaths, ...stateSecrets];
  return {
    id: state.id,
    inputs: wrapState({ host, witness: opened.witness, ...there }, secretPaths),
    properties: wrapState(
      properties(definition, host, there, imported ? there : want, { status: seen?.status, claimedAs }),
      secretPaths,
    ),
  };
}

/** Takes the resource off its host. A host that is gone is forgotten, one that nobody knows is an error with two ways out. */
export async function remove(
  runtime: Runtime,
  urn: string,
  id: string,
  oldProperties: unknown,
): Promise<void> {
  const it = named(urn);
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
  const reach = await runtime.reach(host, { withinSeconds: changeSeconds, urn });
  if (reach.state === "absent") return;
  if (reach.state === "unreachable") throw unreached(it, reach.error);
  const last = opened.applied ?? opened.config;
  try {
    await dismantle(
      { definition: it.definition, claimant: selfOf(runtime, urn, opened), last },
      acting(runtime, reach.host, it, { ...opened, config: last }),
    );
  } catch (error) {
    const mask = masker(last, opened.secretPaths);
    throw new Error(told(host, reach.host, it, error, mask), { cause: error });
  }
}
