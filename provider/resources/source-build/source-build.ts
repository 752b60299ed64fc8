import { z } from "zod";
import { type Downloaded, downloaded } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { type Generations, generationsBeside, removeGenerations } from "#provider/contract/generations.ts";
import { defineResource, type Finding, type Observation } from "#provider/contract/resource.ts";
import { long } from "#provider/contract/step.ts";
import { buildScript } from "./build.ts";
import {
  type BuildPlace,
  buildFolder,
  buildsFolder,
  generationOf,
  parentFolders,
  recordFile,
  tracesOf,
  treeFolder,
} from "./places.ts";

const plainName = z.string().regex(/^[\w+@-][\w.+@-]*$/, "must be one plain name");
const folder = z.string().regex(/^\/[^\0\n]*[^/]$/, "must be an absolute path");

const inputs = z.strictObject({
  name: plainName.describe("Name of the build; its generations lie side by side in a folder of that name."),
  source: folder.describe(
    "Folder of the unpacked source. Its path must change with its content, as that of a `Download` does.",
  ),
  cmake: z
    .array(z.string().regex(/^-[^\0\n]+$/, "must be an argument of cmake, such as -DGGML_RPC=ON"))
    .default([])
    .describe("Arguments with which cmake configures it. It is always a Release build with Ninja."),
  targets: z
    .array(plainName)
    .min(1)
    .describe("Targets to build, each a program; they land in `bin` of the build's folder."),
  path: z
    .array(folder)
    .default([])
    .describe("Folders to look for compilers in before those of the system, such as /usr/local/cuda/bin."),
  directory: folder
    .default(buildsFolder)
    .describe("Folder of all builds; one lands in <directory>/<name>/<hash of source, flags and targets>."),
});

type Want = z.output<typeof inputs>;

/** What a partial configuration, as an observation may be, says of its place. */
const placeOf = ({ name, source, targets, ...rest }: Partial<Want>): BuildPlace | undefined =>
  name === undefined || source === undefined || targets === undefined
    ? undefined
    : { ...rest, name, source, targets };

const entryFinding = (path: string, text: string): Finding => ({ path: ["content", path], text });

/** Entries that are not as they were built. */
function contentFindings({ present, record, differences, changed }: Downloaded): readonly Finding[] {
  if (!present) return [entryFinding(".", "was not built to the end")];
  if (record === undefined) return [entryFinding(".", "was not built by gpu-hosts")];
  return [
    ...[...differences].map(([path, { then, now }]) =>
      entryFinding(
        path,
        then && now ? "was changed after it was built" : now ? "was put there by hand" : "is missing",
      ),
    ),
    ...changed.map((path) => entryFinding(path, "was changed after it was built")),
  ];
}

/** What is shown beside the configuration. */
type BuildStatus = {
  /** Whether the folder is there, and not only what was begun. */
  readonly placed: boolean;
  readonly otherGenerations: Generations;
};

const itemOf = (
  { name, directory = buildsFolder }: Pick<BuildPlace, "name" | "directory">,
  generation: string,
) => `build ${directory}/${name}/${generation}`;

const workName = ({ name }: Pick<Want, "name">) => `build-${name}`;

/**
 * Programs compiled on the host from a CMake project, in the background, so that neither a lost connection
 * nor Ctrl-C loses hours of work. What the compilers need must be there: packages are the component's.
 *
 * Another source or other flags are built beside the old build before anything moves to them. When the old
 * one leaves, it stays as the previous generation until the next change; older ones go. With the last
 * resource of the name all of them go.
 */
export const sourceBuild = defineResource({
  type: "SourceBuild",
  version: 1,
  inputs,
  identity: ["name", "source", "cmake", "targets", "path", "directory"],
  deleteBeforeReplace: false,
  id: (want) => buildFolder(want),

  items(config) {
    const place = placeOf(config);
    // One item, as a build is put in place as a whole.
    return place ? [{ name: itemOf(place, generationOf(place)), path: ["targets"], shared: true }] : [];
  },

  async observe(host, want, _last, deep): Promise<Observation<Want, BuildStatus> | undefined> {
    const [seen, owned] = await Promise.all([
      host.ask(
        downloaded(
          {
            folder: buildFolder(want),
            record: recordFile(want),
            unfinished: [treeFolder(want)],
          },
          deep,
        ),
      ),
      host.ask(ownedItems(itemOf(want, ""))),
    ]);
    const status = {
      placed: seen.present,
      otherGenerations: generationsBeside(seen.others, owned, (generation) => itemOf(want, generation)),
    };
    // What was begun is ours to take away.
    if (!seen.present && seen.unfinished === 0) return undefined;
    return { config: want, findings: contentFindings(seen), status };
  },

  *apply(want) {
    yield long({
      name: workName(want),
      title: `build ${want.targets.join(" and ")} in ${buildFolder(want)}`,
      key: buildFolder(want),
      script: buildScript(want),
      timeoutSeconds: 12 * 3600,
    });
  },

  *remove({ status }, { last }) {
    if (!last || !status) return;
    const { placed, otherGenerations } = status;
    const generation = generationOf(last);
    yield* removeGenerations(
      { generation, placed, others: otherGenerations },
      {
        work: workName(last),
        pathsOf: (generation) => tracesOf(last, generation),
        parents: parentFolders(last),
        title: (gone) =>
          `${gone.length === 1 ? "the build" : "the builds"} ${gone.join(", ")} of ${last.name}`,
      },
    );
  },
});
