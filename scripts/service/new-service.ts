import type { NewEntry } from "#scripts/stack/stack-file.ts";
import { linesUnder } from "#scripts/stack/yaml-edit.ts";
import type { Considered } from "./choose.ts";
import type { Repository } from "./repository.ts";

/** What the entry of a new service is made of. */
export interface NewService {
  readonly stack: string;
  readonly name: string;
  readonly repository: Repository;
  readonly chosen: Considered;
  /** SHA-256 of every file, by its path. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly port: number;
  /** As the stack file holds it: encrypted. */
  readonly apiKey: Encrypted;
  readonly token?: Encrypted | undefined;
  /** Day it was read, ISO. */
  readonly day: string;
}

/** A secret in a stack file. */
export interface Encrypted {
  readonly secure: string;
}

/** A service as `service add` writes it, with comments for who reads it later. */
export function newServiceEntry(service: NewService): NewEntry {
  const { stack, name, repository, chosen, hashes, port, apiKey, token, day } = service;
  const [leader, ...workers] = chosen.hosts;
  const { context, model } = chosen;
  const machines = { leader, ...(workers.length === 0 ? {} : { workers }) };
  const files = Object.fromEntries(model.files.map(({ path }) => [path, hashes[path] ?? ""]));
  const pinned = { repo: repository.id, revision: repository.revision, files, ...(token ? { token } : {}) };
  return {
    fields: { engine: "llamacpp", ...machines, model: pinned, port, context, apiKey },
    lines: [
      `# ${repository.id} in ${model.quantization}, ${gb(model.bytes)}, as the hub had it on ${day}.`,
      "engine: llamacpp",
      `# ${oneLine(chosen.fit.text)}`,
      ...linesUnder(["leader"], leader),
      ...(workers.length === 0 ? [] : linesUnder(["workers"], workers)),
      "model:",
      ...[
        ...linesUnder(["repo"], repository.id),
        `revision: "${repository.revision}"`,
        ...(model.files.length > 1 ? ["# The first part stands first: it is the one that is served."] : []),
        "files:",
        ...Object.entries(files).map(([path, sha256]) => `  ${keyText(path)}: "${sha256}"`),
        ...(token ? ["token:", `  secure: ${token.secure}`] : []),
      ].map((line) => `  ${line}`),
      "# Port of the OpenAI-compatible API.",
      `port: ${port}`,
      ...(chosen.fit.needs.some(({ place }) => place !== "memory") ? gpuBuildLines(stack) : []),
      "# Tokens of context, shared by the parallel requests.",
      `context: ${context}`,
      `# Key that clients send: npx pulumi stack output --stack ${stack} --show-secrets ${name}-apiKey`,
      "apiKey:",
      `  secure: ${apiKey.secure}`,
    ],
  };
}

/** What the operator has to decide for GPUs: which release of llama.cpp runs. */
export const gpuBuildHint = (stack: string) =>
  `The distribution's packages of llama.cpp compute on the processor. For the GPUs write build: { release: {} } and have its archives pinned: npm run pin llamacpp TAG ${stack}`;

const gpuBuildLines = (stack: string) => [`# ${gpuBuildHint(stack)}`, "# build: { release: {} }"];

const keyText = (path: string) => (linesUnder([path], 0)[0] ?? "").replace(/: 0$/, "");
const oneLine = (text: string) => text.replaceAll("\n", " ");

/** Bytes as vendors count them. */
export const gb = (bytes: number) =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
