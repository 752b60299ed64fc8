import { z } from "zod";
import { changeLines, hasSigns, legend } from "#provider/converge/change-text.ts";
import { harmless } from "#transport/harmless.ts";

/**
 * What the provider writes during preview, one JSON object a line, to the file named by GPU_HOSTS_PLAN.
 * Masked.
 */
const plannedResource = z.looseObject({
  host: z.string(),
  urn: z.string(),
  type: z.string(),
  operation: z.enum(["create", "update", "delete"]),
  /** Items that stand on the host already and are taken over. */
  adopted: z.array(z.string()).default([]),
  changes: z
    .array(
      z.looseObject({
        path: z.string(),
        kind: z.enum(["add", "delete", "update", "finding"]),
        want: z.unknown().optional(),
        have: z.unknown().optional(),
        text: z.string().optional(),
        origin: z.enum(["configuration", "host"]).optional(),
      }),
    )
    .default([]),
  /** What on the host stands in the way of the steps. */
  warnings: z.array(z.string()).default([]),
  /** Steps of the first round, as lines. */
  steps: z.array(z.string()).default([]),
  /** Why it could not be compared, for example. */
  note: z.string().optional(),
});
export type PlannedResource = z.output<typeof plannedResource>;

/**
 * Reads the provider's plan. A resource that was asked about twice (as a refresh and again as an update)
 * counts as it was last.
 */
function parsePlan(lines: string): readonly PlannedResource[] {
  const parsed = lines
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => plannedResource.parse(JSON.parse(line)));
  return [...new Map(parsed.map((resource) => [`${resource.operation} ${resource.urn}`, resource])).values()];
}

/**
 * A step of the engine, which alone knows of deletions: providers are not asked about those during preview.
 */
interface EngineStep {
  readonly op: string;
  readonly urn: string;
  readonly host: string | undefined;
}

/** The provider's plan and the engine's deletions together. */
export function readPlan(lines: string, steps: readonly EngineStep[]): readonly PlannedResource[] {
  const deletions = steps
    .filter(({ op, host }) => op === "delete" && host !== undefined)
    .map(({ urn, host }) => {
      const type = (urn.split("::")[2] ?? "").split(":").at(-1);
      return plannedResource.parse({ host, urn, type, operation: "delete" });
    });
  return [...parsePlan(lines), ...deletions];
}

const signs = { create: "+", update: "~", delete: "-" } as const;

/**
 * What `up` would do, host by host. Harmless to a terminal, whatever a host said.
 *
 * @param refreshed the hosts were looked at before, so that the plan holds what was changed by hand
 */
export function planText(
  resources: readonly PlannedResource[],
  { refreshed = false }: { readonly refreshed?: boolean | undefined } = {},
): string {
  const hosts = Map.groupBy(resources, ({ host }) => host);
  if (hosts.size === 0)
    return refreshed
      ? "Nothing would change on any host; what is there was compared.\n"
      : "Nothing would change on any host.\nWhat was changed there by hand is seen by `npm run drift`, and planned for with --refresh.\n";
  const sorted = [...hosts].sort();
  const unseen = sorted.flatMap(([host, ofHost]) => sameNote(host, ofHost) ?? []);
  const seen = sorted
    .filter(([host, ofHost]) => sameNote(host, ofHost) === undefined)
    .map(([host, ofHost]) => [host, ...ofHost.flatMap(resourceLines)].join("\n"));
  const parts = unseen.length > 0 ? [...seen, unseen.join("\n")] : seen;
  const count = (operation: PlannedResource["operation"]) =>
    resources.filter((resource) => resource.operation === operation).length;
  const total = `${count("create")} to create, ${count("update")} to update, ${count("delete")} to delete`;
  const signed = hasSigns(resources.flatMap(({ changes }) => changes.flatMap(changeLines)));
  return harmless(`${[...parts, ...(signed ? [legend] : []), total].join("\n\n")}\n`);
}

const indented = (text: string) => text.split("\n").join("\n        ");

/** A host of which nothing could be compared for one and the same reason: that takes one line. */
function sameNote(host: string, ofHost: readonly PlannedResource[]): string | undefined {
  const note = ofHost[0]?.note;
  if (note === undefined || ofHost.length === 1 || ofHost.some((one) => one.note !== note)) return undefined;
  return `${host} (${ofHost.length} resources) ${note.replaceAll(/\s*\n\s*/g, "; ")}`;
}

function resourceLines(resource: PlannedResource): string[] {
  const { urn, type, operation, adopted, changes, warnings, steps, note } = resource;
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  return [
    `  ${signs[operation]} ${name} (${type}): ${operation}`,
    ...(note === undefined ? [] : [`      note: ${indented(note)}`]),
    ...warnings.map((warning) => `      warning: ${indented(warning)}`),
    ...adopted.map((item) => `      takes over what is there: ${indented(item)}`),
    ...changes.flatMap(changeLines).map((line) => `      ${indented(line)}`),
    ...steps.map((step) => `      $ ${indented(step)}`),
  ];
}
