import type { HostEntry } from "#inventory/inventory.ts";
import type { ModelFacts } from "#models/facts.ts";
import { bitsPerWeight, requantized } from "#models/fit/advice.ts";
import { fitBeside, type ServiceFit } from "#stacks/fit.ts";
import type { GgufModel } from "./gguf-models.ts";
import type { Repository } from "./repository.ts";

/** Machines that a service may get: the first answers, the others lend their memory. */
type Place = readonly [string, ...string[]];

/** One way to serve a model, judged. */
export interface Considered {
  readonly model: GgufModel;
  readonly hosts: Place;
  /** Tokens of context, the most that was tried and fits, at most {@link mostContext}. */
  readonly context: number;
  readonly fit: ServiceFit;
}

/** What there is to choose from. */
export interface Choices {
  readonly repository: Repository;
  /** Those that are allowed, largest first. */
  readonly models: readonly GgufModel[];
  readonly hosts: Readonly<Record<string, HostEntry>>;
  /** What the stack's services take already. */
  readonly taken: Readonly<Record<string, number>>;
  /** Only this one. */
  readonly host?: string | undefined;
  /** Facts of a model by its own header. */
  read(model: GgufModel): Promise<ModelFacts>;
}

/** A chat wants some thousands of tokens; what serves less is not taken for fitting. */
const wantedContext = 8192;
/** More is for the operator to ask for: it costs memory that the next service may need. */
const mostContext = 32_768;
/** Above this, more bits are hardly seen in the answers. */
const enoughBits = 8.6;
/** The processor reads all weights for each token, so smaller ones answer faster. */
const bitsForProcessor = 5;

/**
 * Finds quantization and machines: one machine with GPUs, else several, else one without; on each the
 * largest quantization that fits. One header is read, others are taken as that model with other bits, and
 * what is chosen is judged again by its own.
 * @returns all that was considered, and which of it is chosen; `undefined`: nothing fits
 */
export async function choose(
  choices: Choices,
): Promise<{ considered: readonly Considered[]; chosen?: Considered }> {
  const { models, read } = choices;
  const sample = models.find(({ quantization }) => quantization === "Q4_K_M") ?? models[0];
  if (sample === undefined) return { considered: [] };
  const facts = await read(sample);
  const bitsOf = ({ bytes }: GgufModel) => {
    const own = bitsPerWeight(facts);
    return own === undefined ? undefined : own * (bytes / sample.bytes);
  };
  const scaled = (model: GgufModel) => {
    const bits = bitsOf(model);
    return model === sample || bits === undefined ? facts : requantized(facts, bits);
  };
  const considered: Considered[] = [];
  for (const { hosts, model } of pairsOf(choices, bitsOf)) {
    const first = judge(choices, model, hosts, scaled(model));
    const found = first && fits(first) ? judge(choices, model, hosts, await read(model)) : first;
    if (found === undefined) continue;
    considered.push(found);
    if (fits(found)) return { considered, chosen: found };
  }
  // Somebody named the machine: what nobody can judge there is for them to try.
  const unjudged = considered.find(({ fit }) => fit.decision === "unknown");
  return choices.host !== undefined && unjudged ? { considered, chosen: unjudged } : { considered };
}

type BitsOf = (model: GgufModel) => number | undefined;

/** Machines and models in the order in which they are tried. */
function pairsOf(choices: Choices, bitsOf: BitsOf): { readonly hosts: Place; readonly model: GgufModel }[] {
  return placesOf(choices).flatMap((hosts) => {
    const onProcessor = hosts.every((host) => (choices.hosts[host]?.gpus ?? []).length === 0);
    const models = inOrder(choices.models, bitsOf, onProcessor ? bitsForProcessor : enoughBits);
    return models.map((model) => ({ hosts, model }));
  });
}

const fits = ({ fit }: Considered) => fit.decision === "pass" || fit.decision === "warn";

/** Those with enough bits first, largest first; then the larger ones, smallest first. */
function inOrder(models: readonly GgufModel[], bitsOf: BitsOf, enough: number): GgufModel[] {
  const small = models.filter((model) => (bitsOf(model) ?? 0) <= enough);
  return [...small, ...models.filter((model) => !small.includes(model)).toReversed()];
}

/** Machines and groups of them, the preferred first. */
function placesOf({ hosts, host, taken }: Choices): Place[] {
  if (host !== undefined) return [[host]];
  const usable = Object.entries(hosts).filter(([, { retire, gpus }]) => !retire && gpus !== undefined);
  const gpuMiB = (name: string) =>
    (hosts[name]?.gpus ?? []).reduce(
      (sum, { memoryGiB = 0 }, index) => sum + memoryGiB * 1024 - (taken[`${name} GPU ${index}`] ?? 0),
      0,
    );
  const memory = (name: string) => hosts[name]?.memoryGiB ?? 0;
  const names = (has: boolean) =>
    usable.filter(([, { gpus = [] }]) => gpus.length > 0 === has).map(([name]) => name);
  const withGpus = names(true).sort((a, b) => gpuMiB(b) - gpuMiB(a));
  const without = names(false).sort((a, b) => memory(b) - memory(a));
  const groups = withGpus.slice(1).map((_, index) => withGpus.slice(0, index + 2));
  return [
    ...withGpus.map((name) => [name]),
    ...groups,
    ...without.map((name) => [name]),
  ] as unknown as Place[];
}

/** A model on machines with the largest context that fits; with the wanted one where none does. */
function judge(
  { repository, hosts, taken }: Choices,
  model: GgufModel,
  place: Place,
  facts: ModelFacts,
): Considered | undefined {
  const [leader, ...workers] = place;
  const upTo = Math.min(facts.trainedContext ?? wantedContext, mostContext);
  const least = Math.min(upTo, wantedContext);
  const contexts = [...new Set([upTo, 16_384, wantedContext])].filter((it) => it <= upTo && it >= least);
  const judged = contexts.map((context) => {
    const service = {
      engine: "llamacpp",
      leader,
      workers,
      context,
      listen: "local",
      model: modelOf(repository, model),
    };
    return { context, fit: fitBeside(service, { hosts, taken, facts }) };
  });
  const found =
    judged.find(({ fit }) => fit?.decision === "pass") ??
    judged.find(({ fit }) => fit?.decision === "warn") ??
    judged.at(-1);
  return found?.fit && { model, hosts: place, context: found.context, fit: found.fit };
}

/** A model as a service names it, without the hashes of files that are not fetched yet. */
const modelOf = ({ id, revision }: Repository, { files }: GgufModel) => ({
  repo: id,
  revision,
  files: Object.fromEntries(files.map(({ path, sha256 = "0".repeat(64) }) => [path, sha256])),
});
