import type { Asked, Need, VendorFile } from "#components/serving/vendor.ts";
import { type Build, buildOf } from "./build-config.ts";
import { type Built, variantOf } from "./build-problems.ts";
import { archivesOf, candidates, machineOf, releaseUrl, sourceUrl } from "./release.ts";

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
  const sets = candidates(chosen.variant).map((exact) => archivesOf(version, exact, arch));
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
 * The archives of a release that a service's machines need, or the source that they compile; `undefined`: its build is one
 * of packages. Throws where the release lacks what a machine needs.
 */
export async function llamacppNeed(service: Built, asked: Asked): Promise<Need | undefined> {
  const { version: tag, mirror } = asked;
  const build = buildOf(service.build);
  if (build.way === "packages") return undefined;
  const at = ["build", build.way];
  if (build.way === "source") {
    const url = build.url ?? sourceUrl(mirror, tag);
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
    for (const file of await archivesFor(build, host, asked)) files.set(file.name, file);
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
