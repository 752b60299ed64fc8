import { z } from "zod";
import { aptFree, automaticPackages } from "#facts/apt.ts";
import { packages as dpkgPackages, type Package } from "#facts/dpkg.ts";
import { diversions, packageFiles } from "#facts/package-files.ts";
import { packageName, packageVersion } from "#inventory/kinds.ts";
import {
  aptReady,
  install,
  markAutomatic,
  markManual,
  packageArguments,
  refreshLists,
  reinstall,
  removeUnneeded,
  undivert,
  whyNot,
} from "#provider/contract/apt.ts";
import { keepAside } from "#provider/contract/linux-steps.ts";
import {
  type Context,
  defineResource,
  type Finding,
  findingAt,
  type Json,
  type Observation,
} from "#provider/contract/resource.ts";
import { run, type Step } from "#provider/contract/step.ts";
import { damagedPackages, divertedFiles, packageFindings } from "./package-findings.ts";

const inputs = z.strictObject({
  packages: z
    .record(packageName, packageVersion)
    .describe(
      'Packages that are installed, each with its exact version, or "any" to leave the version to the machine.',
    ),
});

type Want = z.output<typeof inputs>;

/** In the owners record: it was installed, but only as a dependency. */
const automatic = "automatic";

/** A package of ours as it was found. */
interface Standing {
  /** In the words of the inputs, as far as they go. */
  readonly version: string;
  /** Installed only as a dependency. */
  readonly automatic: boolean;
  /** What keeps it from being installed for good. */
  readonly wrong: string | undefined;
}

/** How a package stands; `undefined`: not there. */
function standing(
  found: Package | undefined,
  isAutomatic: boolean,
  wanted: string | undefined,
): Standing | undefined {
  if (!found || found.status === "config-files") return undefined;
  // Nobody wants it any more: what others need of it may stay, and then it is theirs.
  if (wanted === undefined && isAutomatic) return undefined;
  const broken = found.status !== "installed";
  const version = wanted === undefined || wanted === "any" ? "any" : found.version;
  return { version, automatic: isAutomatic && !broken, wrong: wanted && wrongWith(found, isAutomatic) };
}

function wrongWith({ status }: Package, isAutomatic: boolean): string | undefined {
  if (status !== "installed") return `is ${status}: dpkg has not come to the end with it`;
  return isAutomatic
    ? "is there only as a dependency of others, and the next autoremove may take it"
    : undefined;
}

const defined = <V>(entries: readonly (readonly [string, V | undefined])[]): [string, V][] =>
  entries.filter((entry): entry is [string, V] => entry[1] !== undefined);

/**
 * What came with us goes, and what was only a dependency before us is that again. What was asked for before
 * us stays.
 */
function* undo(names: readonly string[], before: Context<Want>["before"]): Generator<Step> {
  const found = (name: string): Json | undefined => before(itemName(name));
  const ours = names.filter((name) => found(name) === undefined);
  const others = names.filter((name) => found(name) === automatic);
  if (ours.length > 0)
    yield run(removeUnneeded(ours), {
      title: `apt-get remove ${ours.join(" ")}`,
      turn: "apt",
      timeoutSeconds: 1800,
      explain: aptFree,
    });
  if (others.length > 0) yield run(markAutomatic(others), { turn: "apt" });
}

function* bring(names: readonly string[], want: Want, dependencies: readonly string[]): Generator<Step> {
  const onlyMark = names.filter((name) => want.packages[name] === "any" && dependencies.includes(name));
  if (onlyMark.length > 0) yield run(markManual(onlyMark), { turn: "apt", explain: aptFree });
  const wanted = Object.fromEntries(
    defined(names.filter((name) => !onlyMark.includes(name)).map((name) => [name, want.packages[name]])),
  );
  if (Object.keys(wanted).length === 0) return;
  yield run(refreshLists(wanted), {
    title: "refresh package lists, fetch packages",
    turn: "apt",
    timeoutSeconds: 7200,
  });
  yield run(install(wanted), {
    title: `apt-get install ${packageArguments(wanted).join(" ")}`,
    turn: "apt",
    timeoutSeconds: 7200,
    explain: whyNot(wanted),
    hint: "correct the stack file (base.packages, or the service's build.packages) or the machine's package sources; then run `up` again",
  });
}

/** Packages with files that are not theirs any more are unpacked anew; who replaced one finds it kept aside. */
function* mend(findings: readonly Finding[] | undefined, names: readonly string[]): Generator<Step> {
  for (const path of divertedFiles(findings)) {
    yield keepAside(path);
    yield run(undivert(path), { title: `dpkg-divert --remove ${path}`, turn: "apt", explain: aptFree });
  }
  if (names.length === 0) return;
  yield run(reinstall(names), {
    title: `apt-get install --reinstall ${names.join(" ")}`,
    turn: "apt",
    timeoutSeconds: 7200,
    explain: aptFree,
    hint: "the version that is installed must still be in a package list; else give the package another version",
  });
}

/** Shown beside the configuration, and which of the packages are installed only as dependencies. */
type PackagesStatus = {
  readonly versions: Readonly<Record<string, string>>;
  readonly dependencies: readonly string[];
  /** Those that apt leaves at their version (`apt-mark hold`), if there are any. */
  readonly held?: readonly string[];
};

const itemName = (name: string) => `package ${name}`;

/**
 * A set of packages, installed and marked as asked for.
 *
 * Never removes a package that stood there before: an install that would remove one fails, and removal takes
 * only what came with these packages and nothing else depends on. Configuration files and data of removed
 * packages stay.
 */
export const aptPackages = defineResource({
  type: "AptPackages",
  version: 1,
  inputs,
  identity: [],
  id: (want) => `packages:${Object.keys(want.packages).sort().join(",").slice(0, 80)}`,

  items: ({ packages = {} }) =>
    Object.entries(packages).map(([name, wanted]) => ({
      name: itemName(name),
      path: ["packages", name],
      shared: wanted === "any",
    })),

  async observe(host, want, last, deep = false): Promise<Observation<Want, PackagesStatus> | undefined> {
    const names = Object.keys({ ...last?.packages, ...want.packages });
    if (names.length === 0) return { config: { packages: {} } };
    const [found, marks, brought, diverted] = await Promise.all([
      host.ask(dpkgPackages(names)),
      host.ask(automaticPackages(names)),
      host.ask(packageFiles(Object.keys(want.packages), { deep, libraries: true })),
      host.ask(diversions),
    ]);
    const there = defined(
      names.map((name) => [name, standing(found.get(name), marks.has(name), want.packages[name])]),
    );
    if (there.length === 0) return undefined;
    const dependencies = there.filter(([, it]) => it.automatic).map(([name]) => name);
    const held = there.map(([name]) => name).filter((name) => found.get(name)?.held);
    return {
      config: { packages: Object.fromEntries(there.map(([name, { version }]) => [name, version])) },
      findings: [
        ...there.flatMap(([name, { wrong }]): Finding[] =>
          wrong === undefined ? [] : [{ path: ["packages", name], text: wrong }],
        ),
        ...packageFindings(brought, diverted),
      ],
      status: {
        versions: Object.fromEntries(defined(there.map(([name]) => [name, found.get(name)?.version]))),
        dependencies,
        ...(held.length > 0 ? { held } : {}),
      },
      originals: Object.fromEntries(dependencies.map((name) => [itemName(name), automatic])),
    };
  },

  // A package that was there before us is left as it is now: to downgrade it because nobody pins it any more
  // helps nobody.
  restored: (before) => before !== automatic,

  *apply(want, have, { before }) {
    const stands = have?.config.packages ?? {};
    const gone = Object.keys(stands).filter((name) => !(name in want.packages));
    const differing = Object.keys(want.packages).filter(
      (name) => stands[name] !== want.packages[name] || findingAt(have, "packages", name),
    );
    yield* aptReady;
    // First, so that what replaces a package does not meet it.
    yield* undo(gone, before);
    yield* bring(differing, want, have?.status?.dependencies ?? []);
    const damaged = damagedPackages(have?.findings).filter((name) => !differing.includes(name));
    yield* mend(have?.findings, damaged);
  },

  *remove(have, { before }) {
    yield* aptReady;
    yield* undo(Object.keys(have.config.packages ?? {}), before);
  },
});
