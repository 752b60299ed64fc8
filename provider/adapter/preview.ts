import type { Config } from "#provider/contract/resource.ts";
import { shown } from "#provider/contract/step.ts";
import { plan } from "#provider/converge/converge.ts";
import { readOwners } from "#provider/converge/owners.ts";
import type { Target } from "#provider/converge/target.ts";
import { HostError } from "#transport/errors.ts";
import type { Host } from "#transport/host.ts";
import { selfOf, warnOfNamesakes } from "./claim.ts";
import { errorMessage, resourceErrorText } from "./errors.ts";
import { masker } from "./masker.ts";
import { lookSeconds, type Runtime } from "./runtime.ts";
import { unknownPaths } from "./secrets.ts";
import { showChanges } from "./shown-changes.ts";
import type { Opened, ResourceName } from "./state.ts";
import { takeoverText } from "./takeover.ts";

/**
 * What on the host stands in the way, as lines. What this stack itself made there may be moved or removed by
 * the very run that is previewed, yet the engine removes last.
 */
async function obstacles({ definition, claimant, want }: Target, host: Host): Promise<string[]> {
  const found = (await definition.obstacles?.(host, want)) ?? [];
  const owners = await readOwners(
    host,
    found.map(({ item }) => ({ name: item, path: [] })),
  );
  return found.map(({ what, cure, item }) => {
    const [owner] = owners.get(item)?.owners ?? [];
    if (!owner) return `${what}; ${cure}`;
    return owner.stack === claimant.stack
      ? `${what}, which is of this stack (${owner.urn}): move or remove that with an \`up\` of its own first, or change one of the two`
      : `${what}, which is of stack ${owner.stack} (${owner.urn}): change one of the two`;
  });
}

/**
 * What `up` would do to a resource: told to the operator, and written as a plan where one is asked for.
 * Changes nothing.
 */
export async function preview(
  runtime: Runtime,
  it: ResourceName,
  opened: Opened,
  last: Config | undefined,
): Promise<void> {
  const { host, config, secretPaths } = opened;
  const operation = last ? "update" : "create";
  const entry = {
    host,
    urn: it.urn,
    type: it.definition.type,
    operation,
    adopted: [],
    changes: [],
    steps: [],
  };
  if (unknownPaths(config).length > 0) {
    runtime.writePlan({ ...entry, note: "not compared: some inputs are known only after other resources" });
    return;
  }
  runtime.approachAll();
  const reach = await runtime.reach(host, {
    on: it.definition.on,
    withinSeconds: lookSeconds,
    urn: it.urn,
  });
  if (reach.state !== "reachable") {
    const why = reach.state === "absent" ? reach.reason : errorMessage(reach.error);
    if (reach.state === "unreachable") await runtime.warnOfHost(`not compared with the host: ${why}`);
    runtime.writePlan({ ...entry, note: `not compared: ${why}` });
    return;
  }
  const subject = {
    definition: it.definition,
    claimant: selfOf(runtime, it.urn, opened),
    want: config,
    last,
  };
  const mask = masker(config, secretPaths);
  const look = async () => {
    const planned = await plan(subject, reach.host);
    return { ...planned, warnings: planned.changes.length > 0 ? await obstacles(subject, reach.host) : [] };
  };
  const planned = await look().catch((error: unknown) => {
    // A host that will not be asked is told like one that is silent: it must not keep the others from their
    // `up`.
    if (error instanceof HostError) return mask(error.message);
    throw new Error(resourceErrorText(host, reach.host, it, error, mask), { cause: error });
  });
  if (typeof planned === "string") {
    await runtime.warnOfHost(`not compared with the host: ${planned}`);
    runtime.writePlan({ ...entry, note: `not compared: ${planned}` });
    return;
  }
  const { changes, steps, adopted, namesakes, warnings } = planned;
  await warnOfNamesakes(runtime, it.urn, host, namesakes);
  for (const warning of warnings)
    await runtime.log(it.urn, "warning", resourceErrorText(host, reach.host, it, new Error(warning), mask));
  if (adopted.length > 0)
    await runtime.log(it.urn, "info", takeoverText({ host, adopted, changes, secretPaths, mask }));
  const shownChanges = showChanges(changes, secretPaths, mask, last);
  runtime.writePlan({
    ...entry,
    adopted: adopted.map(({ name }) => name),
    changes: shownChanges,
    warnings: warnings.map(mask),
    steps: steps.map((step) => mask(shown(step))),
  });
}
