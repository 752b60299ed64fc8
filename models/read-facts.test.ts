import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hub as HubServer, memberToken, startHub, strangerToken } from "#lab/hub.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { HubError } from "#models/hub.ts";
import { knownHubFacts, readGgufFile, readHubFacts } from "#models/read-facts.ts";
import { describedModel, headerOf } from "#models/report/described.ts";
import { describe } from "#models/report/known-models.ts";
import { ggufBytes } from "#models/testing/gguf-bytes.ts";

let server: HubServer;
let folder: string;
const hub = () => ({ endpoint: server.url });
const described = describe("Qwen2.5-Coder-14B");
if (described === undefined) throw new Error("not described");
const header = headerOf(described, "Q4_K_M");

beforeAll(async () => {
  server = await startHub("127.0.0.1");
  folder = await mkdtemp(join(tmpdir(), "facts-"));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Requests for a file since the count began. */
async function requestsFor<T>(work: () => Promise<T>): Promise<{ result: T; paths: string[] }> {
  const before = server.requests.length;
  const result = await work();
  return { result, paths: server.requests.slice(before).map(({ path, range }) => `${path} ${range}`.trim()) };
}

test("a GGUF header comes in one range request, followed over the hub's detour, however long its tokenizer", async () => {
  const weights = Buffer.alloc(8_000_000);
  const file = Buffer.concat([ggufBytes(header, 150_000), weights]);
  const revision = server.publish("some/coder", { "coder-q4.gguf": file });
  const model = { repository: "some/coder", revision, file: "coder-q4.gguf" };
  const { result, paths } = await requestsFor(() => readHubFacts(hub(), model));
  expect(result).toEqual(describedModel(described, "Q4_K_M"));
  expect(paths.length).toBeLessThanOrEqual(2);
  for (const path of paths) expect(path).toMatch(/bytes=0-$/);
});

test("facts of a commit are kept and asked for once; preview has them without a request", async () => {
  const revision = server.publish("some/tiny", { "tiny.gguf": tinyGguf() });
  const model = { repository: "some/tiny", revision, file: "tiny.gguf" };
  const cache = join(folder, "cache");
  expect(knownHubFacts(cache, model)).toBeUndefined();
  const first = await readHubFacts(hub(), model, cache);
  const { result, paths } = await requestsFor(() => readHubFacts(hub(), model, cache));
  expect(paths).toEqual([]);
  expect(result).toEqual(first);
  expect(knownHubFacts(cache, model)).toEqual(first);
  // A branch moves: its facts are read anew.
  await readHubFacts(hub(), { ...model, revision: "main" }, cache);
  expect(knownHubFacts(cache, { ...model, revision: "main" })).toBeUndefined();
  // What is cut short is read anew too.
  const [name = ""] = await readdir(cache);
  await writeFile(join(cache, name), "{");
  expect(knownHubFacts(cache, model)).toBeUndefined();
});

test("a split model is the sum of its parts", async () => {
  const whole = describedModel(described, "Q4_K_M");
  const half = Math.floor(header.tensors.length / 2);
  const metadata = new Map([...header.metadata, ["split.count", 2] as const]);
  const revision = server.publish("some/split", {
    "q4/coder-00001-of-00002.gguf": ggufBytes({
      ...header,
      metadata,
      tensors: header.tensors.slice(0, half),
    }),
    "q4/coder-00002-of-00002.gguf": ggufBytes({
      ...header,
      metadata: new Map(),
      tensors: header.tensors.slice(half),
    }),
  });
  const facts = await readHubFacts(hub(), {
    repository: "some/split",
    revision,
    file: "q4/coder-00001-of-00002.gguf",
  });
  expect(facts).toEqual(whole);
});

const config = {
  model_type: "llama",
  hidden_size: 4096,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14_336,
  vocab_size: 128_256,
  max_position_embeddings: 131_072,
};

test("safetensors: config.json and the index tell all, without a weight", async () => {
  const index = {
    metadata: { total_size: 16_060_522_496 },
    weight_map: { "model.embed_tokens.weight": "model-00001-of-00004.safetensors" },
  };
  const revision = server.publish("meta/llama-8b", {
    "config.json": JSON.stringify(config),
    "model.safetensors.index.json": JSON.stringify(index),
  });
  const facts = await readHubFacts(hub(), { repository: "meta/llama-8b", revision });
  expect(facts).toMatchObject({ architecture: "llama", totalBytes: 16_060_522_496, heads: 32, doubts: [] });
  expect(facts.layers[0]?.cache).toEqual({ keyWidth: 1024, valueWidth: 1024, heads: 8, window: undefined });
});

test("safetensors without an index: the header of the one file", async () => {
  const tensors = {
    __metadata__: { format: "pt" },
    "a.weight": { dtype: "BF16", shape: [100, 10], data_offsets: [0, 2000] },
    "b.weight": { dtype: "F32", shape: [10], data_offsets: [2000, 2040] },
  };
  const json = Buffer.from(JSON.stringify(tensors));
  const length = Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer);
  const revision = server.publish("some/small", {
    "config.json": JSON.stringify(config),
    "model.safetensors": Buffer.concat([length, json, Buffer.alloc(500_000)]),
  });
  const facts = await readHubFacts(hub(), { repository: "some/small", revision });
  expect(facts).toMatchObject({ totalBytes: 2040, parameters: 1010 });
});

test("a gated repository is told with the cure, and read with the token of a member", async () => {
  const revision = server.publish("meta/gated", { "tiny.gguf": tinyGguf() }, { gated: true });
  const model = { repository: "meta/gated", revision, file: "tiny.gguf" };
  await expect(readHubFacts(hub(), model)).rejects.toThrow(
    /HTTP 401.*accept the model's licence.*give a token/s,
  );
  await expect(readHubFacts({ ...hub(), token: strangerToken }, model)).rejects.toThrow(
    /HTTP 403.*account of this token/s,
  );
  await expect(readHubFacts({ ...hub(), token: memberToken }, model)).resolves.toMatchObject({
    architecture: "llama",
  });
});

test("what does not exist, is no GGUF file, ends early or answers nobody is said by its address", async () => {
  const revision = server.publish("some/wrong", {
    "page.gguf": "<!doctype html>",
    "cut.gguf": tinyGguf().subarray(0, 900),
  });
  const read = (file: string) => readHubFacts(hub(), { repository: "some/wrong", revision, file });
  await expect(read("none.gguf")).rejects.toThrow(/some\/wrong at .* has no none.gguf \(HTTP 404\)/);
  await expect(read("page.gguf")).rejects.toThrow(/page\.gguf: this is no GGUF file/);
  await expect(read("cut.gguf")).rejects.toThrow(
    /cut\.gguf: the file ends inside its header, after 900 bytes/,
  );
  const nobody = readHubFacts(
    { endpoint: "http://127.0.0.1:9" },
    { repository: "a/b", revision, file: "c.gguf" },
  );
  await expect(nobody).rejects.toThrow(HubError);
  await expect(nobody).rejects.toThrow(/Is this machine online/);
});

test("a hub that falls silent is given up", async () => {
  const revision = server.publish("some/silent", {
    "tiny.gguf": Buffer.concat([ggufBytes(header, 20_000), Buffer.alloc(9_000_000)]),
  });
  server.fail({ file: "tiny.gguf", kind: "hold", afterBytes: 10 });
  const model = { repository: "some/silent", revision, file: "tiny.gguf" };
  await expect(readHubFacts({ ...hub(), timeoutMs: 300 }, model)).rejects.toThrow(/nothing came for 0\.3 s/);
  server.release();
});

test("a file on this machine is read with its other parts", async () => {
  const path = join(folder, "tiny.gguf");
  await writeFile(path, tinyGguf());
  const facts = await readGgufFile(path);
  expect(facts.layers).toHaveLength(6);
  await expect(readGgufFile(join(folder, "none.gguf"))).rejects.toThrow(/ENOENT/);
});
