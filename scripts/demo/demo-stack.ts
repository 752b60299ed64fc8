import { join } from "node:path";
import { parse, stringify } from "yaml";

/** Stack of the demo. */
export const demoStack = "demo";

/** A host of the demo as its stack file needs it. */
interface DemoHost {
  readonly name: string;
  readonly address: string;
  readonly user: string;
  readonly hostKey: string;
  readonly identityFile: string;
}

/**
 * Pulumi.yaml of the demo: that of the checkout, seen from a folder inside it, with a state file of its own.
 * Pulumi writes stack files beside it, so nothing of the demo gets among the operator's.
 */
export function demoProject(projectFile: string, folder: string): string {
  const project = parse(projectFile) as {
    main?: string;
    plugins?: { providers?: { path?: string }[] };
  };
  if (project.main !== undefined) project.main = join("..", project.main);
  for (const provider of project.plugins?.providers ?? []) {
    if (provider.path !== undefined) provider.path = join("..", provider.path);
  }
  return stringify({ ...project, backend: { url: `file://${join(folder, "state")}` } });
}

/**
 * The demo's stack file: a model split between two hosts. Of its seven layers four go to the worker, so that
 * both compute. The API key is added by `pulumi config set --secret`.
 */
export function demoConfiguration(
  hosts: readonly [leader: DemoHost, worker: DemoHost],
  model: {
    readonly hub: string;
    readonly repo: string;
    readonly revision: string;
    readonly files: Record<string, string>;
  },
): string {
  const [leader, worker] = hosts;
  const inventory = hosts.map(({ name, ...reached }) => [name, { platform: "linux", ...reached }]);
  const { hub, ...which } = model;
  return stringify({
    config: {
      "gpuhost:hosts": Object.fromEntries(inventory),
      "gpu-hosts:mirrors": { hub },
      "gpu-hosts:services": {
        chat: {
          engine: "llamacpp",
          leader: leader.name,
          workers: [worker.name],
          model: which,
          port: 8080,
          context: 512,
          gpuLayers: 4,
          // At this level the server tells where it puts the layers.
          extraArgs: ["--log-verbosity", "4"],
        },
      },
    },
  });
}
