import type { EngineProblem, StackFacts } from "#components/serving/engine.ts";
import type { MachineRecord } from "#components/serving/machine.ts";
import { isPinned, pinCommand } from "#components/serving/vendor.ts";
import { type Build, type BuildConfiguration, buildOf } from "./build-config.ts";
import { machineOf, pickArchives, suitableVariant, type Variant, variantProblem } from "./release.ts";

/** Variant of a machine: chosen for it, else for the service, else by what the inventory records. */
export function variantOf(
  build: Exclude<Build, { way: "packages" }>,
  host: string,
  record: MachineRecord | undefined,
): { readonly variant: Variant } | { readonly unclear: string } {
  const variant = (Object.hasOwn(build.variants, host) ? build.variants[host] : undefined) ?? build.variant;
  return variant === "auto" ? suitableVariant(machineOf(record)) : { variant };
}

/** What is wrong with one machine's part in a build; `undefined`: nothing. */
function memberProblem(
  build: Exclude<Build, { way: "packages" }>,
  host: string,
  { stack, machines }: StackFacts,
): EngineProblem | undefined {
  const at = ["build", build.way];
  const path = Object.hasOwn(build.variants, host) ? [...at, "variants", host] : [...at, "variant"];
  const machine = machineOf(machines[host]);
  const chosen = variantOf(build, host, machines[host]);
  if ("unclear" in chosen) {
    const cure = `run: npm run host refresh ${stack} ${host}; or name the variant`;
    return { path, text: `auto cannot choose for ${host}: ${chosen.unclear}; ${cure}` };
  }
  if (build.way === "source") return undefined;
  const { tag, archives } = build;
  const why = variantProblem(chosen.variant, machine);
  if (why) return { path, text: `does not run on ${host}: ${why}` };
  const files = pickArchives(tag, chosen.variant, machine.arch, (name) => Object.hasOwn(archives, name));
  if (!files) {
    const text = `holds no archive of ${tag} for ${chosen.variant} on ${machine.arch}, which ${host} needs; ${pinCommand("llamacpp", tag, stack)}`;
    return { path: [...at, "archives"], text };
  }
  const wrong = [files.programs, files.runtime].find((name) => name && !isPinned(archives[name]));
  return wrong
    ? { path: [...at, "archives", wrong], text: `is no SHA-256; ${pinCommand("llamacpp", tag, stack)}` }
    : undefined;
}

/** A service, as far as its build goes. */
export interface Built {
  readonly build: BuildConfiguration;
  readonly leader: string;
  readonly workers: readonly string[];
}

/**
 * What a service's build lacks on its machines. No hash is a default anywhere: what we could not fetch and
 * hash is not run, so a missing one is told with the command that fetches and hashes.
 */
export function buildProblems(service: Built, stack: StackFacts): EngineProblem[] {
  const build = buildOf(service.build);
  if (build.way === "packages") return [];
  const members = [service.leader, ...service.workers];
  const strangers = Object.keys(build.variants)
    .filter((host) => !members.includes(host))
    .map((host) => ({
      path: ["build", build.way, "variants", host],
      text: `is no machine of this service; they are ${members.join(", ")}`,
    }));
  const unpinned =
    build.way === "source" && !isPinned(build.sha256)
      ? [
          {
            path: ["build", "source", "sha256"],
            text: `is no SHA-256; ${pinCommand("llamacpp", build.tag, stack.stack)}`,
          },
        ]
      : [];
  const own = members.map((host) => memberProblem(build, host, stack)).filter((found) => found !== undefined);
  return [...strangers, ...unpinned, ...own];
}
