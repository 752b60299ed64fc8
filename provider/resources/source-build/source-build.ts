import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { type StampedFile, stampedFiles } from "#facts/model-files.ts";
import { HostResource, type ResourceArgs } from "#provider/client.ts";
import { defineResource } from "#provider/resource.ts";
import { long, run } from "#provider/step.ts";
import { sh } from "#transport/command.ts";
import { buildScript } from "./build.ts";
import { BUILDS, type BuildPlace, buildFolder, stampsFolder, treeFolder } from "./places.ts";

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
    .default(BUILDS)
    .describe("Folder of all builds; one lands in <directory>/<name>/<hash of source, flags and targets>."),
  purge: z.boolean().default(false).describe("Delete the build when it leaves the configuration."),
});

type Want = z.output<typeof inputs>;

/** A target as it stands, in the words of the input where it is as built; `undefined`: it is not there. */
function standing(target: string, seen: StampedFile | undefined): string | undefined {
  if (seen?.size === undefined) return undefined;
  if (seen.verified?.untouched) return target;
  return `${target} (${seen.verified ? "changed after it was built" : "not built by us"})`;
}

/** What a partial configuration, as an observation may be, says of its place. */
const placeOf = ({ name, source, targets, ...rest }: Partial<Want>): BuildPlace | undefined =>
  name === undefined || source === undefined || targets === undefined
    ? undefined
    : { ...rest, name, source, targets: targets.map((target) => target.replace(/ \(.*/, "")) };

/**
 * Programs compiled on the host from a CMake project, in the background, so that neither a lost connection nor Ctrl-C loses
 * hours of work. What the compilers need must be there: packages are the component's.
 *
 * Another source or other flags are built beside the old build before anything moves to them. Builds outlive this resource
 * unless `purge`; a new one removes all but the last of the older ones. The others are listed in `status`.
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
    return place ? [{ name: `build ${buildFolder(place)}`, path: ["targets"], shared: true }] : [];
  },

  async observe(host, want) {
    const programs = want.targets.map((target) => `bin/${target}`);
    const seen = await host.ask(stampedFiles(buildFolder(want), stampsFolder(want), programs));
    const targets = want.targets
      .map((target) => standing(target, seen.files.get(`bin/${target}`)))
      .filter((target) => target !== undefined);
    if (targets.length === 0) return undefined;
    const others = [...seen.generations].filter(([name]) => !buildFolder(want).endsWith(`/${name}`));
    return { config: { ...want, targets }, status: { otherBuilds: Object.fromEntries(others) } };
  },

  *apply(want, have) {
    if (have?.config.targets?.join() === want.targets.join()) return;
    yield long({
      name: `build-${want.name}`,
      key: buildFolder(want),
      script: buildScript(want),
      timeoutSeconds: 12 * 3600,
    });
  },

  *remove({ config }, { last, before }) {
    const place = placeOf({ ...last, ...config });
    if (!place || !(last?.purge ?? config.purge)) return;
    if (before(`build ${buildFolder(place)}`) !== undefined) return;
    const folders = [buildFolder(place), stampsFolder(place), treeFolder(place)];
    const parents = folders.map((path) => path.replace(/\/[^/]+$/, ""));
    yield run(sh`rm -rf -- ${folders}
for d in ${parents}; do rmdir --ignore-fail-on-non-empty -- "$d" 2>/dev/null; done; true`);
  },
});

/** What components instantiate; {@link sourceBuild} says what each input means. */
export class SourceBuild extends HostResource<typeof inputs> {
  constructor(name: string, args: ResourceArgs<typeof inputs>, opts?: pulumi.CustomResourceOptions) {
    super(sourceBuild, name, args, opts);
  }
}
