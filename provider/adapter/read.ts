import type { Config, Observation } from "#provider/contract/resource.ts";
import { observe } from "#provider/converge/converge.ts";
import type { Reach } from "#transport/host.ts";
import { errorMessage, resourceErrorText } from "./errors.ts";
import { masker } from "./masker.ts";
import { lookSeconds, type Runtime } from "./runtime.ts";
import {
  open,
  type ResourceName,
  readUrn,
  type State,
  stateFindings,
  stateProperties,
  versionOf,
  wantsFromId,
  wrapState,
} from "./state.ts";
import { InitFailed } from "./wire.ts";

const isEmpty = (value: unknown) => !value || Object.keys(value).length === 0;

/**
 * Reads what is really there: for an import, where nothing but the id is known, or of a resource in the
 * state.
 */
export async function read(runtime: Runtime, urn: string, state: State): Promise<State | undefined> {
  const it = readUrn(urn);
  runtime.approachAll();
  const isImport = isEmpty(state.inputs) && isEmpty(state.properties);
  return isImport ? await readImport(runtime, it, state) : await readKnown(runtime, it, state);
}

const reachToRead = ({ definition, urn }: ResourceName, runtime: Runtime, host: string): Promise<Reach> =>
  runtime.reach(host, { on: definition.on, withinSeconds: lookSeconds, urn });

/**
 * Observes for {@link read}; a place that is not there holds nothing. A host that cannot be asked keeps the
 * state as it is.
 */
async function observeToRead(
  it: ResourceName,
  host: string,
  reach: Reach,
  want: Config,
  keep: { readonly state: State; readonly mask: (text: string) => string },
): Promise<Observation<Config> | undefined> {
  if (reach.state === "absent") return undefined;
  if (reach.state === "unreachable") throw new InitFailed(errorMessage(reach.error), keep.state);
  try {
    return await observe(it.definition, reach.host, want, want);
  } catch (error) {
    const text = resourceErrorText(host, reach.host, it, error, keep.mask);
    throw new InitFailed(`could not look: ${text}`, keep.state);
  }
}

/** What stands on the host is both what is wanted and what was applied; `undefined` if there is nothing. */
async function readImport(runtime: Runtime, it: ResourceName, state: State): Promise<State | undefined> {
  const { host, config: want } = wantsFromId(it.definition, state.id);
  const reach = await reachToRead(it, runtime, host);
  const seen = await observeToRead(it, host, reach, want, { state, mask: String });
  if (!seen) return undefined;
  const { config, status } = seen;
  const findings = stateFindings(seen.findings, String);
  const properties = stateProperties(it.definition, host, config, config, {
    status,
    findings,
    claimedAs: it.urn,
  });
  return { id: state.id, inputs: { host, ...config }, properties };
}

/**
 * Both inputs and properties show reality, `applied` stays. A resource of which nothing is left on the host
 * stays in the state as empty, since dropping it would take the drift along with it.
 */
async function readKnown(runtime: Runtime, it: ResourceName, state: State): Promise<State> {
  const { definition, urn } = it;
  const old = open(definition, state.properties);
  const { applied, claimedAs = urn } = old;
  const inputs = isEmpty(state.inputs)
    ? old
    : open(definition, state.inputs, versionOf(definition, state.properties));
  const { host, witness } = inputs;
  if (runtime.inventory.hosts[host]?.retire === "gone") return state;
  const want = applied ?? inputs.config;
  const secretPaths = [...inputs.secretPaths, ...old.secretPaths];
  const mask = masker(want, secretPaths);
  const reach = await reachToRead(it, runtime, host);
  const seen = await observeToRead(it, host, reach, want, { state, mask });
  const { config = {}, status } = seen ?? {};
  const findings = stateFindings(seen?.findings, mask);
  const properties = stateProperties(definition, host, config, want, { status, findings, claimedAs });
  return {
    id: state.id,
    inputs: wrapState({ host, witness, ...config }, secretPaths),
    properties: wrapState(properties, secretPaths),
  };
}
