import { createHash, randomBytes } from "node:crypto";
import { basename } from "node:path";
import { suggestion } from "#inventory/problems.ts";
import { type Hub, hubBeginning } from "#models/hub.ts";
import { readHubFacts } from "#models/read-facts.ts";
import { projectOf } from "#scripts/pulumi/pulumi.ts";
import {
  configurationIn,
  readStackFile,
  stackFileOf,
  withService,
  writeStackFile,
} from "#scripts/stack/stack-file.ts";
import { type Arguments, UsageError } from "#scripts/terminal/arguments.ts";
import { ask, askHidden, hasTerminal } from "#scripts/terminal/ask.ts";
import type { commands } from "#scripts/terminal/commands.ts";
import { voice } from "#scripts/terminal/output.ts";
import { claimsOf } from "#stacks/claims.ts";
import { parseConfiguration } from "#stacks/config.ts";
import { factsFolder, judgeServices } from "#stacks/fit.ts";
import { type Configuration, serviceName } from "#stacks/schema.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { type Considered, choose } from "./choose.ts";
import { consideredText } from "./considered-text.ts";
import { encrypt } from "./encrypt.ts";
import { type GgufModel, ggufModels, modelIn } from "./gguf-models.ts";
import { gb, gpuBuildHint, newServiceEntry } from "./new-service.ts";
import { type Repository, readRepository } from "./repository.ts";

type Given = Arguments<(typeof commands)["service add"]>;

/** `service add`: from a model's name on the hub to a service in the stack file, every file pinned. */
export async function addService({
  words: [stack = "", name = "", what = ""],
  values,
}: Given): Promise<number> {
  const file = stackFileOf(projectOf(stack), stack);
  const text = readStackFile(file);
  if (text === undefined)
    throw new UsageError(`there is no ${file}; begin with: npm run host add USER@ADDRESS ${stack}`);
  const configuration = parseConfiguration(configurationIn(text), { stack });
  refuseNames(configuration, name, values, stack);
  const { id, quantization } = modelWords(what);
  const token = values.token ? await readToken(id) : undefined;
  const hub: Hub = { endpoint: configuration.mirrors.hub ?? "", token };

  const say = voice();
  try {
    say.now(`what ${id} has`);
    const repository = await readRepository(hub, id);
    const models = modelsFor(repository, quantization, values.engine);
    const { taken } = judgeServices(configuration.services, configuration.hosts);
    say.now(`what of ${id} fits where`);
    const { considered, chosen } = await choose({
      repository,
      models,
      hosts: configuration.hosts,
      taken,
      host: values.host,
      read: (model) => readHubFacts(hub, hubModel(repository, model), factsFolder()),
    });
    say.stop();
    tell(considered, chosen, values.json);
    if (chosen === undefined) throw new Error(nothingFits(configuration, considered, id));
    const port = portFor(configuration, chosen.hosts[0], values.port);
    await confirm(
      values,
      `Write ${name} into ${basename(file)}: ${chosen.model.quantization} on ${chosen.hosts.join(" + ")}, port ${port}?`,
    );
    say.now("hashes, and a key for clients");
    const hashes = await hashesOf(hub, repository, chosen.model);
    await ensurePulumi();
    const apiKey = randomBytes(24).toString("hex");
    const secret = { apiKey, ...(token === undefined ? {} : { token }) };
    const encrypted = await encrypt<{ apiKey: string; token?: string }>(stack, text, secret);
    const day = new Date().toISOString().slice(0, 10);
    const entry = newServiceEntry({
      stack,
      name,
      repository,
      chosen,
      hashes,
      port,
      ...encrypted.secrets,
      day,
    });
    const added = withService(encrypted.text, name, entry);
    // Whatever else the rules across hosts say is told before anything is written.
    parseConfiguration(configurationIn(added), { stack });
    writeStackFile(file, added);
    say.stop();
    const done = `${name} is in ${basename(file)} now: ${id} in ${chosen.model.quantization} on ${chosen.hosts.join(" + ")}, port ${port}. Next: npm run plan ${stack}, then npm run up ${stack}`;
    if (values.json)
      console.log(JSON.stringify({ stack, name, ...resultOf(chosen, considered), port }, undefined, 2));
    else console.log(done);
    const needsBuild = chosen.fit.needs.some(({ place }) => place !== "memory");
    if (needsBuild) console.error(gpuBuildHint(stack));
    return 0;
  } finally {
    say.stop();
  }
}

function refuseNames(
  { services, hosts }: Configuration,
  name: string,
  { host }: Given["values"],
  stack: string,
): void {
  const valid = serviceName.safeParse(name);
  if (!valid.success) throw new UsageError(`${name}: ${valid.error.issues[0]?.message}`);
  if (Object.hasOwn(services, name))
    throw new UsageError(
      `${name} is a service of ${stack} already; choose another name, or take it out first: npm run service remove ${stack} ${name}`,
    );
  const known = Object.keys(hosts);
  if (known.length === 0)
    throw new UsageError(`${stack} has no host yet; begin with: npm run host add USER@ADDRESS ${stack}`);
  if (host !== undefined && !known.includes(host))
    throw new UsageError(`${host} is no host of ${stack}${suggestion(host, known)}`);
}

/** `OWNER/MODEL[:QUANT]`, as the hub's own pages write it. */
function modelWords(what: string): { readonly id: string; readonly quantization: string | undefined } {
  const bare = what.replace(/^(https:\/\/huggingface\.co|hf\.co)\//, "").replace(/\/$/, "");
  const [, id, quantization] = /^([\w.-]+\/[\w.-]+)(?::([\w.-]+))?$/.exec(bare) ?? [];
  if (id === undefined) throw new UsageError(`${what}: a model is written OWNER/MODEL or OWNER/MODEL:QUANT`);
  return { id, quantization };
}

/** The token's text: from the keyboard, not shown, or all of stdin. */
async function readToken(id: string): Promise<string> {
  if (hasTerminal()) return (await askHidden(`token of the hub for ${id} (not shown): `)).trim();
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const token = Buffer.concat(chunks).toString("utf8").trim();
  if (!/^[^\s"\\]+$/.test(token))
    throw new UsageError("--token reads the token from stdin, and there is none");
  return token;
}

function modelsFor(
  { id, files }: Repository,
  quantization: string | undefined,
  engine: string | undefined,
): readonly GgufModel[] {
  if (engine !== undefined && engine !== "llamacpp")
    throw new UsageError(`--engine ${engine}: service add writes services of llamacpp`);
  const models = ggufModels(files);
  if (models.length === 0) {
    const safetensors = files.some(({ path }) => path.endsWith(".safetensors"));
    throw new Error(
      safetensors
        ? `${id} holds safetensors, which vLLM serves and service add does not write yet; take a repository with GGUF files for llama.cpp, often ${id}-GGUF`
        : `${id} holds no GGUF file, so llama.cpp cannot serve it`,
    );
  }
  return quantization === undefined ? models : [modelIn(models, quantization)];
}

const hubModel = ({ id, revision }: Repository, { files }: GgufModel) => ({
  repository: id,
  revision,
  file: files[0]?.path,
});

const resultOf = (chosen: Considered | undefined, considered: readonly Considered[]) => {
  const row = ({ model, hosts, context, fit }: Considered) => ({
    quantization: model.quantization,
    bytes: model.bytes,
    hosts,
    context,
    ...fit,
  });
  return { chosen: chosen && row(chosen), considered: considered.map(row) };
};

function tell(
  considered: readonly Considered[],
  chosen: Considered | undefined,
  json: boolean | undefined,
): void {
  if (considered.length > 0 && !json) process.stdout.write(consideredText(considered, chosen));
  if (json && chosen === undefined) console.log(JSON.stringify(resultOf(chosen, considered), undefined, 2));
}

function nothingFits({ hosts }: Configuration, considered: readonly Considered[], id: string): string {
  const unseen = Object.keys(hosts).filter((name) => hosts[name]?.gpus === undefined);
  const refresh =
    unseen.length === 0 ? "" : ` Nothing is recorded of ${unseen.join(", ")}: npm run host refresh.`;
  const last = considered.at(-1);
  const why =
    last === undefined
      ? "there is no machine that could be judged."
      : `${last.hosts.join(" + ")}: ${last.fit.text}.`;
  return `nothing of ${id} fits; ${why}${refresh} Nothing was written.`;
}

/** The first port from 8080 on that nothing of the stack has on a machine, or the operator's. */
function portFor(configuration: Configuration, host: string, wanted: string | undefined): number {
  const ssh = configuration.hosts[host]?.port ?? 22;
  const claimed = claimsOf(configuration).flatMap(({ placement }) =>
    placement.exposures.filter((it) => it.host === host && it.protocol !== "udp").map(({ port }) => port),
  );
  if (wanted !== undefined) {
    const port = Number(wanted);
    if (!/^\d+$/.test(wanted) || port < 1 || port > 65_535)
      throw new UsageError(`--port ${wanted} is no port`);
    return port;
  }
  let port = 8080;
  while (port === ssh || claimed.includes(port)) port++;
  return port;
}

async function confirm({ yes, json }: Given["values"], question: string): Promise<void> {
  if (yes) return;
  if (json || !hasTerminal()) throw new UsageError(`${question} Here nobody is asked: add -- --yes`);
  if (!/^y(es)?$/i.test(await ask(`${question} (yes) `)))
    throw new Error("not confirmed; nothing was written");
}

/** The hub's own hash of a large file; a small one is fetched and hashed. */
async function hashesOf(
  hub: Hub,
  { id, revision }: Repository,
  { files }: GgufModel,
): Promise<Record<string, string>> {
  const all = files.map(async ({ path, bytes, sha256 }) => {
    if (sha256 !== undefined) return [path, sha256] as const;
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of hubBeginning(hub, { repository: id, revision, file: path }).chunks()) {
      hash.update(chunk);
      length += chunk.length;
    }
    if (length !== bytes)
      throw new Error(`${id}: ${path} has ${gb(bytes)}, and ${gb(length)} came; try again`);
    return [path, hash.digest("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}
