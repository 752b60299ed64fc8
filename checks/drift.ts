import type { Inventory } from "#inventory/inventory.ts";
import { showChanges } from "#provider/adapter/shown-changes.ts";
import type { AnyDefinition, Config } from "#provider/contract/resource.ts";
import { changeLines } from "#provider/converge/change-text.ts";
import { compare } from "#provider/converge/compare.ts";
import { observe } from "#provider/converge/converge.ts";
import { definitions } from "#provider/resources/index.ts";
import type { Host, Reach } from "#transport/host.ts";
import { appliedWants, type Deployed, deployedResources, nameOf } from "./deployed.ts";
import { type ReachHost, withHosts } from "./hosts.ts";
import type { Result, Verdict } from "./result.ts";
import { unmadeResources } from "./unmade.ts";

/** What a resource was found to be: `unknown` is "could not look". */
type Look = Pick<Result, "details" | "changes"> & {
  readonly verdict: Verdict;
  /** Where it is another than the verdict's. */
  readonly label?: string;
};

const labels = { good: "in sync", bad: "drifted", unknown: "could not look" } as const;

/**
 * Drift of a whole stack, from its `pulumi stack export --show-secrets`. While that is still on its way, the
 * hosts are logged in to.
 */
export function stackDrift(
  exported: Promise<unknown>,
  inventory: Inventory,
  onResult?: (result: Result) => void,
  deep = false,
): Promise<readonly Result[]> {
  // What is gone is gone: Pulumi forgets it at the next `up`.
  const isThere = (host: string) => inventory.hosts[host]?.retire !== "gone";
  return withHosts(inventory, async (reach) => {
    for (const host of Object.keys(inventory.hosts).filter(isThere)) void reach(host);
    const state = await exported;
    const deployed = deployedResources(state, definitions).filter(({ host }) => isThere(host));
    const unmade = unmadeResources(state).filter(({ host }) => isThere(host));
    return [...(await drift(deployed, reach, onResult, deep)), ...unmade];
  });
}

/**
 * Compares every deployed resource with what was last applied to its host, all hosts at once. Read-only; one
 * host that cannot be reached does not hold up the others.
 * @param onResult told of each result as it is found, for progress
 * @param deep also compares contents whose comparison takes minutes
 */
export function drift(
  deployed: readonly Deployed[],
  reach: ReachHost,
  onResult: (result: Result) => void = () => undefined,
  deep = false,
): Promise<readonly Result[]> {
  return Promise.all(
    deployed.map(async (resource) => {
      const look = await lookAt(resource, await reach(resource.host, resource.definition?.on), deep);
      const { host, type, urn, mask } = resource;
      const unfinished = resource.unfinished.flatMap((text) =>
        `the last run left it unfinished: ${mask(text)}`.split("\n"),
      );
      const { verdict, label = labels[verdict], details, changes } = judge(look, unfinished.length > 0);
      const result: Result = {
        host,
        name: nameOf(urn),
        type,
        verdict,
        label,
        details: [...details, ...unfinished],
        ...(changes === undefined ? {} : { changes }),
      };
      onResult(result);
      return result;
    }),
  );
}

/** What an earlier run left undone is not in sync, however little of it is to be seen. */
const judge = (look: Look, isUnfinished: boolean): Look =>
  isUnfinished && look.verdict === "good" ? { ...look, verdict: "bad", label: "unfinished" } : look;

const unknown = (reason: string): Look => ({ verdict: "unknown", details: reason.split("\n") });

async function lookAt(resource: Deployed, reached: Reach, deep: boolean): Promise<Look> {
  const { definition, type, mask } = resource;
  if (definition === undefined) return unknown(`this release of gpu-hosts knows no resource type ${type}`);
  if (reached.state === "unreachable") return unknown(mask(reached.error.message));
  if (reached.state === "absent") return { verdict: "bad", details: [reached.reason] };
  try {
    const want = appliedWants(resource);
    if (want !== undefined) return await compareWithHost(resource, definition, want, reached.host, deep);
    return { verdict: "bad", details: ["it was never brought about to the end; the next `up` finishes it"] };
  } catch (error) {
    return unknown(mask((error as Error).message));
  }
}

async function compareWithHost(
  { secretPaths, mask }: Deployed,
  definition: AnyDefinition,
  want: Config,
  host: Host,
  deep: boolean,
): Promise<Look> {
  const have = await observe(definition, host, want, want, { deep });
  const changes = showChanges(compare(want, have), secretPaths, mask);
  if (have?.settling !== undefined) {
    const details = [mask(have.settling), ...changes.flatMap(changeLines)];
    return { verdict: "bad", label: "on its way", details, changes };
  }
  if (changes.length === 0) return { verdict: "good", details: [] };
  if (have === undefined) return { verdict: "bad", details: ["nothing of it is there any more"], changes };
  return { verdict: "bad", details: changes.flatMap(changeLines), changes };
}
