import { createHash } from "node:crypto";
import { z } from "zod";
import { type Downloaded, downloaded, listing } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { pythonVersion } from "#facts/python.ts";
import { httpAddress } from "#inventory/kinds.ts";
import {
  type Generations,
  generationsBeside,
  generationsToRemove,
  removeGenerations,
} from "#provider/contract/generations.ts";
import { defineResource, type Finding, type Observation } from "#provider/contract/resource.ts";
import { long, run } from "#provider/contract/step.ts";
import { script, sh, shellScript } from "#transport/command.ts";
import { lockProblem } from "./lock.ts";
import {
  cacheFolder,
  generationOf,
  parentFolders,
  pythonsFolder,
  recordFile,
  stagingFolder,
  tracesOf,
  type VenvPlace,
  venvFolder,
  venvsFolder,
} from "./places.ts";

const folder = z.string().regex(/^\/(?!.*(\/\/|\/\.{1,2}(\/|$)))[^\0\n]*[^/]$/, "must be an absolute path");

const inputs = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{0,59}$/, "must be of lower case letters, digits, dots and hyphens")
    .describe("Name of the environment; its generations lie side by side in a folder of that name."),
  uv: folder.describe("Wheel of uv on the host, which makes the environment: a `Download`."),
  python: z
    .string()
    .regex(/^3\.\d{1,2}$/, "must be a version such as 3.12")
    .describe("Python that the lock was made for: the system's where it is that one, else uv fetches it."),
  lock: z
    .string()
    .superRefine((text, context) => {
      const message = lockProblem(text);
      if (message) context.addIssue({ code: "custom", message });
    })
    .describe("Packages in exact versions with their SHA-256, as `uv pip compile --generate-hashes` writes."),
  indexes: z
    .array(httpAddress)
    .min(1)
    .default(["https://pypi.org/simple"])
    .describe("Package indexes. Whichever has a file of the right hash is as good as the others."),
  builds: httpAddress
    .default("https://github.com/astral-sh/python-build-standalone/releases/download")
    .describe("Where uv fetches a Python; it knows the hashes of its builds."),
  directory: folder
    .default(venvsFolder)
    .describe("Folder of all environments; one lands in <directory>/<name>/<hash of Python and lock>."),
});

type Want = z.output<typeof inputs>;

/** What a partial configuration, as an observation may be, says of its place. */
const placeOf = ({ name, python, lock, directory }: Partial<Want>): VenvPlace | undefined =>
  name === undefined || python === undefined || lock === undefined
    ? undefined
    : { name, python, lock, directory };

const finding = (path: string, text: string): Finding => ({ path: ["content", path], text });

/** More than that is one line: somebody swept through the folder. */
const shownEntries = 20;

/** Entries that are not as they were installed, and an interpreter that is no more. */
function findingsOf({ present, record, differences }: Downloaded, version: string | undefined): Finding[] {
  if (!present) return [finding(".", "was not installed to the end")];
  if (record === undefined) return [finding(".", "was not installed by gpu-hosts")];
  const all = [...differences].map(([path, { then, now }]) =>
    finding(
      path,
      then && now ? "was changed after it was installed" : now ? "was put there by hand" : "is missing",
    ),
  );
  const more = all.length - shownEntries;
  return [
    ...all.slice(0, shownEntries),
    ...(more > 0 ? [finding("…", `${more} more entries differ`)] : []),
    ...(version === undefined && !differences.has("bin/python")
      ? [finding("bin/python", "does not run: the Python that it was made with is gone")]
      : []),
  ];
}

/** What is shown beside the configuration. */
type VenvStatus = {
  /** Whether the folder is there, and not only what was begun. */
  readonly placed: boolean;
  /** Version of its Python; null: none runs. */
  readonly python: string | null;
  readonly otherGenerations: Generations;
};

const itemOf = (
  { name, directory = venvsFolder }: Pick<VenvPlace, "name" | "directory">,
  generation: string,
) => `venv ${directory}/${name}/${generation}`;

const workName = ({ name }: Pick<Want, "name">) => `venv-${name}`;

const install = script(import.meta.url, "./install.sh");

/** A script that makes the environment beside its place and puts it there; stdin is the lock. */
function installScript(want: Want) {
  const [first = "", ...others] = want.indexes;
  // A hash decides, so no index can put another package in the place of one.
  const indexes = [
    "--index-url",
    first,
    ...others.flatMap((index) => ["--extra-index-url", index]),
    "--index-strategy",
    "unsafe-best-match",
  ];
  const places = [venvFolder(want), recordFile(want), stagingFolder(want), cacheFolder(want)];
  return sh`listing() { ${listing}; }
${shellScript(install, [...places, pythonsFolder(want), want.uv, want.python, want.builds, ...indexes])}`;
}

/**
 * A Python environment made by uv from a lock with hashes, in the background, so that neither a lost
 * connection nor Ctrl-C loses what was fetched. Nothing is compiled: each package comes as a wheel.
 *
 * Another lock or Python is installed beside the old one before anything moves to it. When the old one
 * leaves, it stays as the previous generation until the next change; older ones go. With the last resource of
 * the name all of them go.
 */
export const pythonVenv = defineResource({
  type: "PythonVenv",
  version: 1,
  inputs,
  identity: ["name", "python", "lock", "directory"],
  deleteBeforeReplace: false,
  id: (want) => venvFolder(want),

  items(config) {
    const place = placeOf(config);
    // One item, as an environment is put in place as a whole.
    return place ? [{ name: itemOf(place, generationOf(place)), path: ["lock"], shared: true }] : [];
  },

  async observe(host, want): Promise<Observation<Want, VenvStatus> | undefined> {
    const [seen, owned, version] = await Promise.all([
      host.ask(
        downloaded({
          folder: venvFolder(want),
          record: recordFile(want),
          unfinished: [stagingFolder(want)],
        }),
      ),
      host.ask(ownedItems(itemOf(want, ""))),
      host.ask(pythonVersion(`${venvFolder(want)}/bin/python`)),
    ]);
    // What was begun is ours to take away.
    if (!seen.present && seen.unfinished === 0) return undefined;
    const status = {
      placed: seen.present,
      python: version ?? null,
      otherGenerations: generationsBeside(seen.others, owned, (generation) => itemOf(want, generation)),
    };
    return { config: want, findings: findingsOf(seen, version), status };
  },

  *apply(want) {
    yield long({
      name: workName(want),
      title: `install the packages of ${want.name} in ${venvFolder(want)}`,
      key: { folder: venvFolder(want), lock: createHash("sha256").update(want.lock).digest("hex") },
      script: installScript(want),
      stdin: want.lock,
      timeoutSeconds: 12 * 3600,
    });
  },

  *remove({ status }, { last }) {
    if (!last || !status) return;
    const leaving = {
      generation: generationOf(last),
      placed: status.placed,
      others: status.otherGenerations,
    };
    yield* removeGenerations(leaving, {
      work: workName(last),
      pathsOf: (generation) => tracesOf(last, generation),
      parents: parentFolders(last),
      title: (gone) =>
        `${gone.length === 1 ? "the environment" : "the environments"} ${gone.join(", ")} of ${last.name}`,
    });
    if (!generationsToRemove(leaving).isLast) return;
    const shared = [cacheFolder(last), pythonsFolder(last)];
    yield run(
      sh`rm -rf -- ${shared}
for d in ${shared}; do rmdir -p --ignore-fail-on-non-empty -- "\${d%/*}" 2>/dev/null; done; true`,
      { title: `remove the packages and interpreters kept for ${last.name}` },
    );
  },
});
