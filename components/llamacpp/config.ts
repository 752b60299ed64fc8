import { isIPv4 } from "node:net";
import { z } from "zod";
import type { Exposure, Placement, Seat } from "#components/claims.ts";
import { apiExposures } from "#components/serving/api.ts";
import type { Engine, EngineProblem, StackFacts } from "#components/serving/engine.ts";
import { hubModelOf } from "#components/serving/fit.ts";
import { groupAddress } from "#components/serving/machine.ts";
import { modelSchema, serviceShape } from "#components/serving/service-schema.ts";
import { hostName, orEmpty, port } from "#inventory/kinds.ts";
import { build, buildOf } from "./build-config.ts";
import { buildProblems } from "./build-problems.ts";
import { secretWords, serverWords, workerWords } from "./extra-arguments.ts";
import { llamacppFit } from "./fit.ts";
import { llamacppVendor } from "./pin.ts";

/** `gpu-hosts:services.<name>` of a service that llama.cpp serves. */
export const schema = z.strictObject({
  engine: z
    .literal("llamacpp")
    .describe("llama.cpp: GGUF models, on one machine or split over several by its RPC."),
  leader: hostName.describe(
    "Machine that runs llama-server and answers requests; the model file lies only there.",
  ),
  workers: orEmpty(
    z
      .array(hostName)
      .max(16, "llama.cpp takes at most 16 workers")
      .default([])
      .describe(
        "Machines that lend their memory and GPUs, in the order in which layers go to them. None: the leader alone.",
      ),
  ),
  model: modelSchema(
    "GGUF files and their SHA-256. The first one is served: of a split model write the first shard first.",
  ),
  ...serviceShape,
  rpcPort: port
    .default(50052)
    .describe("TCP port of a worker's RPC server. Open to the leader only: it has no authentication."),
  memberPort: port
    .default(50062)
    .describe("TCP port where a worker tells its leader which build it runs. Open to the leader only."),
  context: z
    .int()
    .min(0)
    .default(0)
    .describe("Tokens of context, shared by the parallel requests. 0: what the model was trained for."),
  gpuLayers: z
    .union([z.int().min(0), z.literal("auto"), z.literal("all")])
    .default("auto")
    .describe(
      "Layers kept off the leader's CPU: a number, `all`, or `auto` for as many as fit. With both words a model that is known not to fit the GPUs whole is refused, as it would answer much slower; a number says that it is meant.",
    ),
  parallel: z
    .int()
    .min(1)
    .optional()
    .describe("Requests answered at the same time. Default: llama.cpp decides."),
  extraArgs: orEmpty(
    serverWords
      .default([])
      .describe(
        "Further arguments of llama-server, one word each. Never a secret: arguments are public on the machine.",
      ),
  ),
  workerArgs: orEmpty(
    workerWords.default([]).describe("Further arguments of every worker's RPC server, one word each."),
  ),
  build,
});

/** A parsed service. */
export type LlamacppService = z.output<typeof schema>;

function seatsOf({ leader, workers = [] }: Partial<LlamacppService>): Seat[] {
  return [
    ...(leader === undefined ? [] : [{ host: leader, path: ["leader"], role: "leader" }]),
    ...workers.map((host, i) => ({ host, path: ["workers", i], role: "worker" })),
  ];
}

/** What a worker opens to its leader. */
function workerExposures(
  host: string,
  { leader, rpcPort, memberPort }: Partial<LlamacppService>,
): Exposure[] {
  const from = leader === undefined ? [] : [leader];
  return [
    ...(rpcPort === undefined
      ? []
      : [{ host, port: rpcPort, path: ["rpcPort"], what: "the RPC worker", from }]),
    ...(memberPort === undefined
      ? []
      : [{ host, port: memberPort, path: ["memberPort"], what: "the member endpoint", from }]),
  ];
}

/** Of the packages that a release or a build from source needs, any version will do. */
function packagesOf(service: Partial<LlamacppService>): Placement["packages"] {
  const wanted = service.build && buildOf(service.build);
  if (wanted?.way !== "packages") return [];
  return seatsOf(service).flatMap(({ host }) =>
    Object.entries(wanted.packages).map(([name, version]) => ({
      host,
      name,
      version,
      path: ["build", "packages", name],
    })),
  );
}

/** Gate and RPC know the members of a group by IPv4 address. */
function addressProblems(service: LlamacppService, { machines }: StackFacts): EngineProblem[] {
  const seats = seatsOf(service);
  if (seats.length === 1) return [];
  return seats.flatMap(({ host, path }) => {
    const machine = machines[host];
    if (!machine || isIPv4(groupAddress(machine))) return [];
    const text = `the machines of a group know each other by IPv4 address, and ${host} has ${groupAddress(machine)}; set hosts.${host}.groupAddress`;
    return [{ path, text }];
  });
}

/** llama.cpp as the stack's configuration sees it. */
export const llamacpp = {
  schema,
  placement: (service) => ({
    platforms: ["linux"],
    seats: seatsOf(service),
    exposures: [
      ...apiExposures(service, service.leader),
      ...(service.workers ?? []).flatMap((host) => workerExposures(host, service)),
    ],
    packages: packagesOf(service),
  }),
  problems: (service, stack) => [
    ...addressProblems(service, stack),
    ...secretWords(service),
    ...buildProblems(service, stack),
  ],
  hubModel: ({ model }) => hubModelOf(model),
  fit: (service, grounds) => llamacppFit(service, grounds),
  mirrors: {
    llamacpp: {
      address: "https://github.com/ggml-org/llama.cpp",
      description:
        "The llama.cpp project, or a mirror that answers the paths of its releases and source archives.",
    },
  },
  heldPackages: ["llama.cpp", "libllama", "libggml"],
  unitPrefix: "llama-",
  vendors: { llamacpp: llamacppVendor },
} satisfies Engine<typeof schema>;
