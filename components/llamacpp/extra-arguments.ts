import { z } from "zod";
import { oneLine } from "#inventory/kinds.ts";

/** Options of a program that keys of the service set, by the key: `--port` says in one more place what `port` says. */
type Taken = Readonly<Record<string, readonly string[]>>;

/** Of llama-server. Of two values the last counts, so ours would be set aside without a word. */
const server: Taken = {
  port: ["--port"],
  listen: ["--host"],
  apiKey: ["--api-key", "--api-key-file"],
  model: [
    ...["-m", "--model", "-mu", "--model-url", "-dr", "--docker-repo"],
    ...["-hf", "-hfr", "--hf-repo", "-hff", "--hf-file"],
  ],
  "model.token": ["-hft", "--hf-token"],
  alias: ["-a", "--alias"],
  workers: ["--rpc"],
  context: ["-c", "--ctx-size"],
  gpuLayers: ["-ngl", "--gpu-layers", "--n-gpu-layers"],
  parallel: ["-np", "--parallel"],
};

/** Of the RPC server. */
const worker: Taken = {
  rpcPort: ["-p", "--port"],
  "groupAddress of its machine": ["-H", "--host"],
};

/** The key that sets an option, written `--port 1`, `--port=1`, or with the underscores that llama.cpp takes too. */
function keyOf(word: string, taken: Taken): string | undefined {
  const [option = ""] = word.split("=", 1);
  const plain = option.startsWith("--") ? option.replaceAll("_", "-") : option;
  return Object.keys(taken).find((key) => taken[key]?.includes(plain));
}

/** Further words of a command line, none of which says what a key of the service says. */
const wordsBeside = (taken: Taken) =>
  z.array(
    oneLine.superRefine((word, context) => {
      const key = keyOf(word, taken);
      if (key === undefined) return;
      const [option] = word.split("=", 1);
      context.addIssue({ code: "custom", message: `${option} is what the key ${key} sets; write it there` });
    }),
  );

/** `extraArgs` of a service. */
export const serverWords = wordsBeside(server);
/** `workerArgs` of a service. */
export const workerWords = wordsBeside(worker);

/** What is wrong with words of a command line that hold a secret of the service: anybody on the machine reads them. */
export function secretWords({
  apiKey,
  model,
  extraArgs,
  workerArgs,
}: {
  readonly apiKey?: string | undefined;
  readonly model: { readonly token?: string | undefined };
  readonly extraArgs: readonly string[];
  readonly workerArgs: readonly string[];
}): { readonly path: (string | number)[]; readonly text: string }[] {
  const secrets = Object.entries({ apiKey, "model.token": model.token });
  return Object.entries({ extraArgs, workerArgs }).flatMap(([list, words]) =>
    words.flatMap((word, i) =>
      secrets
        .filter(([, secret]) => secret !== undefined && word.includes(secret))
        .map(([key]) => ({
          path: [list, i],
          text: `holds ${key}, and arguments are public on the machine; take it out`,
        })),
    ),
  );
}
