import type { PlannedFit } from "#checks/fit.ts";
import type { ModelFacts } from "#models/facts.ts";
import type { Hub } from "#models/hub.ts";
import { type HubModel, readHubFacts } from "#models/read-facts.ts";
import { readConfiguration } from "#scripts/stack/stack.ts";
import { parseConfiguration } from "#stacks/config.ts";
import { factsFolder, type JudgedService, judgeServices } from "#stacks/fit.ts";

/** A hub that does not answer holds up a plan no longer than this. */
const silenceMs = 5000;
const allMs = 20_000;

/**
 * Whether the services of a stack fit their machines. Facts that are missing are read from the hub and kept,
 * so that the next preview has them too; a hub that is out of reach is a note.
 */
export async function plannedFits(stack: string): Promise<PlannedFit[]> {
  const raw = await readConfiguration(stack);
  // What does not fit is told here with its numbers, and no reason to fail.
  const configuration = parseConfiguration(raw, { stack, facts: () => undefined });
  const { services, hosts, mirrors } = configuration;
  const wanted = judgeServices(services, hosts, { facts: () => undefined }).judged;
  const read = await Promise.all(
    wanted.map(async ({ name, model }) => {
      const { token } = (services[name] as { model?: { token?: string } }).model ?? {};
      const hub: Hub = { endpoint: mirrors.hub ?? "", token, timeoutMs: silenceMs };
      return model && ([keyOf(model), await factsOf(hub, model)] as const);
    }),
  );
  const known = new Map(read.filter((one) => one !== undefined));
  const factsOrNone = (model: HubModel) => {
    const found = known.get(keyOf(model));
    return found === undefined || typeof found === "string" ? undefined : found;
  };
  const { judged } = judgeServices(services, hosts, { facts: factsOrNone });
  return judged.map((service) => planned(service, service.model && known.get(keyOf(service.model))));
}

const keyOf = ({ repository, revision, file }: HubModel) => `${repository} ${revision} ${file}`;

/** Facts, or why there are none. */
async function factsOf(hub: Hub, model: HubModel): Promise<ModelFacts | string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`${hub.endpoint} is too slow`), allMs);
  const read = readHubFacts(hub, model, factsFolder()).catch((error: Error) => error.message);
  try {
    return await Promise.race([read, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function planned({ name, model, fit }: JudgedService, facts: ModelFacts | string | undefined): PlannedFit {
  const title = model && [model.repository, model.file].filter((it) => it !== undefined).join(" ");
  const about = { service: name, model: title };
  if (fit !== undefined) return { ...about, ...fit };
  const why =
    typeof facts === "string"
      ? facts
      : model === undefined
        ? "its model is not on the hub"
        : "nothing is recorded of the GPUs of its machines: npm run host refresh";
  return { ...about, decision: "unknown", text: `not estimated: ${why}`, needs: [] };
}
