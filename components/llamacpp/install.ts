import type * as pulumi from "@pulumi/pulumi";
import type { ServingHost } from "#components/serving/engine-component.ts";
import type { Witness } from "#provider/contract/witness.ts";
import { declare } from "#provider/declare.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { download } from "#provider/resources/download/download.ts";
import { downloadFolder } from "#provider/resources/download/places.ts";
import { type BuildPlace, buildFolder } from "#provider/resources/source-build/places.ts";
import { sourceBuild } from "#provider/resources/source-build/source-build.ts";
import type { Build } from "./build-config.ts";
import { variantOf } from "./build-problems.ts";
import { type Archives, machineOf, pickArchives, releaseUrl, sourceUrl, type Variant } from "./release.ts";

/** Where a machine's llama.cpp lies. */
export interface Programs {
  /** Folder of llama-server and the RPC server; `undefined`: where the distribution puts them. */
  readonly folder?: string | undefined;
  /** Folder of libraries that they need and the system does not have. */
  readonly libraries?: string | undefined;
}

/** A build on one machine. */
export interface Installed {
  readonly programs: Programs;
  readonly resources: readonly pulumi.Resource[];
}

/** What one machine gets, and from where. */
interface Wanted {
  /**
   * Name of the service: builds are one service's own, so that none stops or removes what another makes or
   * runs.
   */
  readonly service: string;
  /** Begins the names of its resources. */
  readonly prefix: string;
  readonly host: ServingHost;
  /** Asked when something of it fails. */
  readonly witness: Witness | undefined;
  /** Address of the llama.cpp project or of a mirror of it. */
  readonly project: string;
}

type Options = pulumi.CustomResourceOptions & { readonly dependsOn: readonly pulumi.Resource[] };
type OfRelease = Extract<Build, { way: "release" }>;
type OfSource = Extract<Build, { way: "source" }>;

/** The variant of a machine; that there is one was checked with the configuration. */
function variantFor(build: OfRelease | OfSource, { name, record }: ServingHost): Variant {
  const choice = variantOf(build, name, record);
  if ("unclear" in choice) throw new Error(`no build of llama.cpp for ${name}: ${choice.unclear}`);
  return choice.variant;
}

const anyVersion = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, "any"]));

/**
 * What the programs of a release link to and a minimal system may lack: OpenMP, and the OpenSSL that
 * `openssl` brings.
 */
const librariesOf = (variant: Variant) =>
  anyVersion("libgomp1", "openssl", ...(variant === "vulkan" ? ["libvulkan1"] : []));

function archivesOn(build: OfRelease, host: ServingHost, variant: Variant): Archives {
  const { arch } = machineOf(host.record);
  const found = pickArchives(build.tag, variant, arch, (name) => Object.hasOwn(build.archives, name));
  if (!found) throw new Error(`no archive of llama.cpp ${build.tag} for ${host.name}`);
  return found;
}

/**
 * Unpacked beside each other; a release's programs find their own libraries there, and only the CUDA runtime
 * lies apart.
 */
function declareRelease(
  build: OfRelease,
  { service, prefix, host, witness, project }: Wanted,
  opts: Options,
): Installed {
  const at = { host: host.name, witness };
  const variant = variantFor(build, host);
  const archives = archivesOn(build, host, variant);
  const libraries = declare(
    aptPackages,
    `${prefix}-libraries`,
    { ...at, packages: librariesOf(variant) },
    opts,
  );
  const fetched = (suffix: string, name: string, file: string, trial?: string[]) => {
    const sha256 = build.archives[file] ?? "";
    const url = releaseUrl(project, build.tag, file);
    const args = { ...at, name, url, sha256, unpack: { strip: 1 }, ...(trial ? { trial } : {}) };
    const after = { ...opts, dependsOn: [...opts.dependsOn, ...(trial ? [libraries] : [])] };
    return {
      resource: declare(download, `${prefix}-${suffix}`, args, after),
      folder: downloadFolder({ name, sha256 }),
    };
  };
  // A release is built on one system and meets others: what it misses there is told before a unit would crash
  // for it.
  const trial = ["llama-server", "--version"];
  const programs = fetched("build", `llama.cpp-${service}`, archives.programs, trial);
  const runtime = archives.runtime
    ? fetched("cuda", `llama.cpp.cuda-${service}`, archives.runtime)
    : undefined;
  return {
    programs: { folder: programs.folder, libraries: runtime?.folder },
    resources: [libraries, programs.resource, ...(runtime ? [runtime.resource] : [])],
  };
}

const compilers: Readonly<Record<string, readonly string[]>> = {
  vulkan: ["glslc", "libvulkan-dev", "spirv-headers"],
};
const cudaCompiler = "/usr/local/cuda/bin";

/**
 * Flags of a build: one piece, so that no library can be mixed up; RPC always; nothing that is fetched while
 * it builds.
 */
function cmakeFlags(build: OfSource, backend: string): string[] {
  const number = /^b(\d+)$/.exec(build.tag)?.[1];
  return [
    ...["-DBUILD_SHARED_LIBS=OFF", "-DGGML_RPC=ON"],
    ...["-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF"],
    ...["-DLLAMA_OPENSSL=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF"],
    ...(number ? [`-DLLAMA_BUILD_NUMBER=${number}`] : []),
    `-DLLAMA_BUILD_COMMIT=${build.tag}`,
    ...(backend === "vulkan" ? ["-DGGML_VULKAN=ON"] : []),
    ...(backend === "cuda" ? ["-DGGML_CUDA=ON"] : []),
    ...(backend === "cuda" && build.cudaArchitectures.length > 0
      ? [`-DCMAKE_CUDA_ARCHITECTURES=${build.cudaArchitectures.join(";")}`]
      : []),
    ...build.cmake,
  ];
}

function declareSource(
  build: OfSource,
  { service, prefix, host, witness, project }: Wanted,
  opts: Options,
): Installed {
  const [backend = ""] = variantFor(build, host).split("-");
  const at = { host: host.name, witness };
  const packages = anyVersion("cmake", "g++", "libgomp1", "ninja-build", ...(compilers[backend] ?? []));
  const tools = declare(aptPackages, `${prefix}-tools`, { ...at, packages }, opts);
  const archive = { name: `llama.cpp.source-${service}`, sha256: build.sha256 };
  const url = build.url ?? sourceUrl(project, build.tag);
  const source = declare(
    download,
    `${prefix}-source`,
    { ...at, ...archive, url, unpack: { strip: 1 } },
    opts,
  );
  const place = {
    name: `llama.cpp-${service}`,
    source: downloadFolder(archive),
    cmake: cmakeFlags(build, backend),
    targets: ["llama-server", "ggml-rpc-server"],
    path: backend === "cuda" ? [cudaCompiler] : [],
  } satisfies BuildPlace;
  const built = declare(
    sourceBuild,
    `${prefix}-build`,
    { ...at, ...place },
    { ...opts, dependsOn: [tools, source] },
  );
  return { programs: { folder: `${buildFolder(place)}/bin` }, resources: [tools, source, built] };
}

/**
 * Puts a build of llama.cpp on one machine. Only packages replace the build that runs; the others are made
 * beside it.
 */
export function declareBuild(build: Build, wanted: Wanted, opts: Options): Installed {
  switch (build.way) {
    case "packages": {
      const { prefix, host, witness } = wanted;
      const args = { host: host.name, witness, packages: { ...build.packages } };
      return { programs: {}, resources: [declare(aptPackages, `${prefix}-packages`, args, opts)] };
    }
    case "release":
      return declareRelease(build, wanted, opts);
    case "source":
      return declareSource(build, wanted, opts);
  }
}
