import { z } from "zod";
import { hostName, httpAddress, oneLine, orEmpty, packageName, packageVersion } from "#inventory/kinds.ts";

const packages = z
  .record(packageName, packageVersion)
  .refine((packages) => Object.keys(packages).length > 0, "needs at least one package")
  .superRefine((packages, context) => {
    const loose = Object.keys(packages).filter((name) => packages[name] === "any");
    if (loose.length === Object.keys(packages).length) return;
    for (const name of loose) {
      const message =
        "is `any` beside exact versions, so machines could run different builds; write its version too";
      context.addIssue({ code: "custom", path: [name], message });
    }
  })
  .describe(
    "Packages of the distribution, on every machine of the service: exact version, or `any` for what it has. Exact versions hold a build only if all that makes it up is named: on Debian llama.cpp, llama.cpp-tools, llama.cpp-tools-extra, libllama0, libggml0 and libggml0-backend-rpc.",
  );

/** What runs a model where nothing else is said. */
const distribution = { "llama.cpp": "any", "llama.cpp-tools-extra": "any", "libggml0-backend-rpc": "any" };

// Hashes are checked beside the machines (build-problems.ts): what is missing there is told with the command
// that writes it.
const pinned = oneLine;
const archiveName = z.string().regex(/^\w[\w.+-]*$/, "must be the name of an archive of the release");
const releaseVariant = z
  .string()
  .regex(
    /^(auto|cpu|vulkan|cuda-\d+(\.\d+)?)$/,
    "must be auto, cpu, vulkan, or cuda with its version, such as cuda-13.4",
  );
const sourceVariant = z.enum(["auto", "cpu", "vulkan", "cuda"]);

const release = z
  .strictObject({
    tag: z
      .string()
      .regex(
        /^b\d+$/,
        "must be a build tag, such as b11669: the project's programs are published under those",
      )
      .describe("Tag of the release. Write it with the hashes: `npm run pin llamacpp TAG STACK`."),
    variant: releaseVariant
      .default("auto")
      .describe(
        "Which of the release's archives: `cpu`, `vulkan`, `cuda-12.8` … `auto`: the CUDA that driver and GPUs recorded in the inventory can run, else cpu.",
      ),
    variants: orEmpty(
      z
        .record(hostName, releaseVariant)
        .default({})
        .describe("Variant by machine, where one differs; a group may mix them."),
    ),
    archives: orEmpty(
      z.record(archiveName, pinned).default({}).describe("Archive → SHA-256, as `npm run pin` writes them."),
    ),
  })
  .describe("Programs that the project has built, for machines with glibc 2.35 or newer, CUDA 2.39.");

const source = z
  .strictObject({
    tag: z
      .string()
      .regex(/^[bv]\d[\d.]*$/, "must be a tag of the project, such as b11669 or v0.7.0")
      .describe("Tag of the source; June 2026 or newer, as older ones name their RPC server otherwise."),
    url: httpAddress
      .optional()
      .describe("Address of an archive of the source, in place of the project's own for the tag."),
    sha256: pinned.default("").describe("SHA-256 of the archive, as `npm run pin` writes it."),
    variant: sourceVariant
      .default("auto")
      .describe(
        "Backend to build: `cpu`, `vulkan` or `cuda`, for which the CUDA toolkit must be in /usr/local/cuda. `auto`: cuda where the inventory records an NVIDIA GPU, else cpu.",
      ),
    variants: orEmpty(
      z
        .record(hostName, sourceVariant)
        .default({})
        .describe("Variant by machine, where one differs; a group may mix them."),
    ),
    cudaArchitectures: orEmpty(
      z
        .array(z.string().regex(/^\d+[a-z]?(-real|-virtual)?$/, "must be as CMake writes it, such as 89"))
        .default([])
        .describe(
          "Compute capabilities to build for, such as 86 and 120. Default: the GPUs of the machine itself.",
        ),
    ),
    cmake: orEmpty(
      z
        .array(oneLine.regex(/^-./, "must be an argument of cmake, such as -DGGML_NATIVE=OFF"))
        .default([])
        .describe("Further arguments of cmake, one word each."),
    ),
  })
  .describe("The project's source, compiled on each machine, for what no archive is made for.");

const ways = z
  .strictObject({
    packages: packages.optional(),
    release: release.optional(),
    source: source.optional(),
  })
  .superRefine((ways, context) => {
    const named = Object.keys(ways).filter((way) => ways[way as keyof typeof ways] !== undefined);
    if (named.length === 1) return;
    const message =
      named.length > 1
        ? `names ${named.join(" and ")}; a service has one build`
        : "needs one of packages, release, source";
    context.addIssue({ code: "custom", path: [], message });
  });

/** `build` of a service: which llama.cpp runs. */
export const build = ways
  .prefault({ packages: distribution })
  .describe("Which llama.cpp runs, the same on every machine of the service: one of the following.");

/** Parsed. */
export type BuildConfiguration = z.output<typeof build>;

/** A build by the way it is installed. */
export type Build =
  | { readonly way: "packages"; readonly packages: Readonly<Record<string, string>> }
  | ({ readonly way: "release" } & z.output<typeof release>)
  | ({ readonly way: "source" } & z.output<typeof source>);

/** The one way that a configuration names. */
export function buildOf({ packages, release, source }: BuildConfiguration): Build {
  if (release) return { way: "release", ...release };
  if (source) return { way: "source", ...source };
  return { way: "packages", packages: packages ?? distribution };
}
