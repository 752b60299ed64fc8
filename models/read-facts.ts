import { dirname, join } from "node:path";
import { fileBeginning, parseBeginning } from "#models/beginning.ts";
import type { ModelFacts } from "#models/facts.ts";
import { cachedFacts, type FactsKey, keepFacts } from "#models/facts-cache.ts";
import { ggufFacts } from "#models/gguf/facts.ts";
import { type GgufHeader, parseGgufHeader } from "#models/gguf/header.ts";
import { type Hub, HubError, hubBeginning, hubText } from "#models/hub.ts";
import { safetensorsFacts, type Weights } from "#models/safetensors/facts.ts";
import { parseSafetensorsHeader, parseSafetensorsIndex } from "#models/safetensors/header.ts";

/** A model on a hub. */
export interface HubModel {
  /** `OWNER/MODEL`. */
  readonly repository: string;
  /** A full commit, or a branch; only facts of a commit are cached. */
  readonly revision: string;
  /** The GGUF file, of a split one the first part; `undefined`: the repository holds safetensors. */
  readonly file?: string | undefined;
}

/**
 * Facts of a model on a hub, without its weights: one request a file, and none when the commit was read
 * before.
 * @param cacheFolder where facts are kept; `undefined`: nowhere
 * @throws HubError when the hub does not give a file; Error when a file is not what its name says
 */
export async function readHubFacts(hub: Hub, model: HubModel, cacheFolder?: string): Promise<ModelFacts> {
  const key = keyOf(model);
  const before = cacheFolder === undefined ? undefined : cachedFacts(cacheFolder, key);
  if (before) return before;
  const facts =
    model.file === undefined ? await readSafetensors(hub, model) : await readGguf(hub, model, model.file);
  if (cacheFolder !== undefined) await keepFacts(cacheFolder, key, facts);
  return facts;
}

/** Facts of a model on a hub if they were read before; asks nobody, so preview may call it. */
export const knownHubFacts = (cacheFolder: string, model: HubModel): ModelFacts | undefined =>
  cachedFacts(cacheFolder, keyOf(model));

/** Facts of a GGUF file on this machine, with the other parts beside it. */
export async function readGgufFile(path: string): Promise<ModelFacts> {
  const header = (name: string) => parseBeginning(fileBeginning(join(dirname(path), name)), parseGgufHeader);
  return ggufFacts(await allParts(path.slice(dirname(path).length).replace(/^\/+/, ""), header));
}

const keyOf = ({ repository, revision, file }: HubModel): FactsKey => ({
  repository,
  revision,
  files: file === undefined ? [] : [file],
});

function readGguf(hub: Hub, model: HubModel, first: string): Promise<ModelFacts> {
  const header = (file: string) => parseBeginning(hubBeginning(hub, { ...model, file }), parseGgufHeader);
  return allParts(first, header).then(ggufFacts);
}

async function allParts(first: string, read: (file: string) => Promise<GgufHeader>): Promise<GgufHeader[]> {
  const header = await read(first);
  const count = header.metadata.get("split.count");
  if (typeof count !== "number" || count < 2) return [header];
  const names = Array.from({ length: count - 1 }, (_, part) => partName(first, part + 2, count));
  const others = await Promise.all(names.map(read));
  return [header, ...others];
}

/** llama.cpp's names of parts: `x-00001-of-00003.gguf`. */
function partName(first: string, part: number, count: number): string {
  const number = (value: number) => String(value).padStart(5, "0");
  const name = first.replace(/-\d{5}-of-\d{5}\.gguf$/, `-${number(part)}-of-${number(count)}.gguf`);
  if (name === first) throw new Error(`${first} is one of ${count} parts, and its name does not say which`);
  return name;
}

async function readSafetensors(hub: Hub, model: HubModel): Promise<ModelFacts> {
  const config: unknown = JSON.parse(await hubText(hub, { ...model, file: "config.json" }));
  return safetensorsFacts(config, await weightsOf(hub, model));
}

async function weightsOf(hub: Hub, model: HubModel): Promise<Weights> {
  try {
    return parseSafetensorsIndex(await hubText(hub, { ...model, file: "model.safetensors.index.json" }));
  } catch (error) {
    if (!(error instanceof HubError && error.status === 404)) throw error;
  }
  // A small model is one file without an index.
  const file = "model.safetensors";
  const { bytes, values } = await parseBeginning(
    hubBeginning(hub, { ...model, file }),
    parseSafetensorsHeader,
  );
  return { bytes, parameters: values };
}
