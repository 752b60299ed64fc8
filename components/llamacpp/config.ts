import { z } from "zod";
import type { EngineConfiguration, Exposure } from "#components/serving/placement.ts";
import { build, buildOf } from "./build-config.ts";
import { buildProblems } from "./build-problems.ts";

const port = z.int().min(1).max(65535);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 of 64 lower case hex digits");
const fileName = z
  .string()
  .regex(
    /^[\w][\w.+-]*(\/[\w][\w.+-]*)*$/,
    "must be a file name, with folders before it if the repository has them",
  );
const files = z
  .record(fileName, sha256)
  .refine((files) => Object.keys(files).length > 0, "needs at least one file")
  .describe(
    "GGUF files and their SHA-256. The first one is served: of a split model write the first shard first.",
  );

const model = z
  .strictObject({
    repo: z
      .string()
      .regex(/^[\w.-]+\/[\w.-]+$/, "must be owner/name as the hub writes it")
      .optional()
      .describe("Repository on the model hub, such as ggml-org/gemma-3-1b-it-GGUF."),
    revision: z
      .string()
      .regex(/^[0-9a-f]{40}$/, "must be a full commit hash of 40 hex digits, because a branch may move")
      .optional()
      .describe("Commit of the repository."),
    url: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .optional()
      .describe("Address of the folder that holds the files, for a model from elsewhere than the hub."),
    token: z
      .string()
      .regex(/^[^\s"\\]+$/, "must be one word")
      .optional()
      .describe("Access token for a gated repository; write it as `secure`."),
    files,
  })
  .superRefine(({ repo, revision, url }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (url && (repo || revision))
      refuse(["url"], "stands beside repo or revision; write either the hub's two or url");
    else if (!url && !repo) refuse(["repo"], "is missing: the repository on the model hub; or write url");
    else if (!url && !revision) refuse(["revision"], "is missing: the full commit hash of the repository");
  });

const host = z.string().min(1);

/** `gpu-hosts:services.<name>` of a service that llama.cpp serves. */
export const schema = z.strictObject({
  engine: z
    .literal("llamacpp")
    .describe("llama.cpp: GGUF models, on one machine or split over several by its RPC."),
  leader: host.describe(
    "Machine that runs llama-server and answers requests; the model file lies only there.",
  ),
  workers: z
    .array(host)
    .max(16, "llama.cpp takes at most 16 workers")
    .default([])
    .describe(
      "Machines that lend their memory and GPUs, in the order in which layers go to them. None: the leader alone.",
    ),
  model: model.describe(
    "What is served: `repo`, `revision` and `files` on the model hub, or `url` and `files`.",
  ),
  port: port.default(8080).describe("TCP port of the OpenAI-compatible API on the leader."),
  rpcPort: port
    .default(50052)
    .describe("TCP port of a worker's RPC server. Open to the leader only: it has no authentication."),
  memberPort: port
    .default(50062)
    .describe("TCP port where a worker tells its leader which build it runs. Open to the leader only."),
  alias: z
    .string()
    .regex(/^[\w.:/-]+$/, "must be letters, digits and . : / _ -")
    .optional()
    .describe("Model name that clients ask for. Default: the service's name."),
  context: z
    .int()
    .min(0)
    .default(0)
    .describe("Tokens of context, shared by the parallel requests. 0: what the model was trained for."),
  gpuLayers: z
    .union([z.int().min(0), z.literal("auto"), z.literal("all")])
    .default("auto")
    .describe("Layers kept off the leader's CPU: a number, `all`, or `auto` for as many as fit."),
  parallel: z
    .int()
    .min(1)
    .optional()
    .describe("Requests answered at the same time. Default: llama.cpp decides."),
  listen: z
    .enum(["lan", "local"])
    .default("lan")
    .describe("`lan`: whoever reaches the leader may connect. `local`: only programs on the leader."),
  apiKey: z
    .string()
    .min(16, "must have at least 16 characters")
    .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")
    .optional()
    .describe(
      "Key that clients send; write it as `secure`. Required unless `listen: local` or `open: true`.",
    ),
  open: z.boolean().default(false).describe("Serve the LAN without a key."),
  extraArgs: z
    .array(z.string())
    .default([])
    .describe(
      "Further arguments of llama-server, one word each. Never a secret: arguments are public on the machine.",
    ),
  workerArgs: z
    .array(z.string())
    .default([])
    .describe("Further arguments of every worker's RPC server, one word each."),
  build,
  deadlineMinutes: z
    .int()
    .min(1)
    .default(60)
    .describe("How long the first completion may take to come, counted anew at each sign of progress."),
});

/** A parsed service. */
export type LlamacppService = z.output<typeof schema>;

const worker = (host: string, service: LlamacppService): Exposure[] => [
  { host, port: service.rpcPort, path: ["rpcPort"], what: "the RPC worker", from: [service.leader] },
  {
    host,
    port: service.memberPort,
    path: ["memberPort"],
    what: "the member endpoint",
    from: [service.leader],
  },
];

/** Of the packages that a release or a build from source needs, any version will do. */
function packagesOf({ build: wanted }: LlamacppService): Readonly<Record<string, string>> {
  const build = buildOf(wanted);
  return build.way === "packages" ? build.packages : {};
}

/** llama.cpp as the stack's configuration sees it. */
export const llamacpp: EngineConfiguration<typeof schema> = {
  schema,
  placement: (service) => ({
    platforms: ["linux"],
    seats: [
      { host: service.leader, path: ["leader"], role: "leader" },
      ...service.workers.map((host, i) => ({ host, path: ["workers", i], role: "worker" })),
    ],
    exposures: [
      {
        host: service.leader,
        port: service.port,
        path: ["port"],
        what: "the API",
        from: service.listen === "lan" ? "everyone" : "itself",
        ...(service.apiKey ? { safe: "api key" as const } : service.open ? { safe: "open" as const } : {}),
      },
      ...service.workers.flatMap((host) => worker(host, service)),
    ],
    packages: packagesOf(service),
  }),
  problems: buildProblems,
};
