import { z } from "zod";
import {
  type Asked,
  isMap,
  type Need,
  type RawMap,
  serviceParts,
  type Vendor,
  type VendorFile,
} from "#components/serving/vendor.ts";
import { type Build, build, buildOf } from "./build-config.ts";
import { type Built, variantOf } from "./build-problems.ts";
import { archivesOf, candidateVariants, machineOf, releaseUrl, sourceUrl } from "./release.ts";

/** A machine's archives, by asking the release what it has. */
async function archivesFor(
  build: Extract<Build, { way: "release" }>,
  host: string,
  { version, machines, mirror, exists }: Asked,
): Promise<VendorFile[]> {
  const chosen = variantOf(build, host, machines[host]);
  if ("unclear" in chosen) {
    throw new Error(
      `auto cannot choose for ${host}: ${chosen.unclear}; refresh its entry with npm run host refresh, or name the variant`,
    );
  }
  const { arch } = machineOf(machines[host]);
  const sets = candidateVariants(chosen.variant).map((exact) => archivesOf(version, exact, arch));
  for (const { programs, runtime } of sets) {
    const names = runtime ? [programs, runtime] : [programs];
    const files = names.map((name) => ({ name, url: releaseUrl(mirror, version, name) }));
    const there = await Promise.all(files.map(({ url }) => exists(url)));
    if (there.every((is) => is)) return files;
  }
  const tried = releaseUrl(mirror, version, sets[0]?.programs ?? "");
  throw new Error(
    `${version} has no archive for ${chosen.variant} on ${arch}, which ${host} needs: there is nothing at ${tried}`,
  );
}

/**
 * The archives of a release that a service's machines need, or the source that they compile; `undefined`: its
 * build is one of packages. Throws where the release lacks what a machine needs.
 */
async function needOf(service: Built, asked: Asked): Promise<Need | undefined> {
  const { version: tag, mirror } = asked;
  const wanted = buildOf(service.build);
  if (wanted.way === "packages") return undefined;
  const at = ["build", wanted.way];
  if (wanted.way === "source") {
    const url = wanted.url ?? sourceUrl(mirror, tag);
    const file = { name: `source of ${tag}`, url };
    return {
      files: [file],
      pins: (sha256) => [
        { path: [...at, "tag"], value: tag },
        { path: [...at, "sha256"], value: sha256(file) },
      ],
    };
  }
  const files = new Map<string, VendorFile>();
  for (const host of [service.leader, ...service.workers]) {
    for (const file of await archivesFor(wanted, host, asked)) files.set(file.name, file);
  }
  return {
    files: [...files.values()],
    pins: (sha256) => [
      { path: [...at, "tag"], value: tag },
      {
        path: [...at, "archives"],
        value: Object.fromEntries([...files.values()].map((file) => [file.name, sha256(file)])),
      },
    ],
  };
}

/** Of a service only this is read. */
const built = z.looseObject({
  leader: z.string(),
  workers: z.array(z.string()).default([]),
  build,
});

/** Puts a tag where the build of a service has its own. */
function withTag(service: RawMap, tag: string): RawMap {
  if (!isMap(service.build)) return service;
  const ways = Object.entries(service.build).map(([way, value]) => [
    way,
    way !== "packages" && (isMap(value) || value === null) ? { ...value, tag } : value,
  ]);
  return { ...service, build: Object.fromEntries(ways) };
}

/** llama.cpp's releases and source, as `npm run pin` pins them. */
export const llamacppVendor: Vendor = {
  mirror: "llamacpp",
  version: /^[bv]\d[\d.]*$/,
  example: "b11669",
  hint: "give a service of it `build: { release: { tag: b11669 } }`",
  parts: (configuration, tag) => serviceParts("llamacpp", configuration, (service) => withTag(service, tag)),
  schema: built,
  at: ["build"],
  need: (service, asked) => needOf(service as Built, asked),
};
