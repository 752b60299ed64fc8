import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import type { LlamacppService } from "#components/llamacpp/config.ts";
import { service } from "#components/llamacpp/samples.ts";
import { type Declared, declared } from "#tests/support/declared.ts";
import { Llamacpp } from "./llamacpp.ts";

const host = (name: string, last: number) => ({
  name,
  address: `${name}.lan`,
  groupAddress: `10.0.0.${last}`,
  base: [],
});
const hosts = { rack1: host("rack1", 11), rack2: host("rack2", 12), rack3: host("rack3", 13) };

const build = (changes: Partial<LlamacppService> = {}): Promise<Declared[]> =>
  declared(() => new Llamacpp("big", { service: service(changes), hosts, hub: "http://hub.lan" }));

const shown = (resources: Declared[]) =>
  resources.filter(({ inputs }) => "host" in inputs).map(({ type, name }) => `${type.split(":")[2]} ${name}`);

/** Inputs of one resource; a test knows their types. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into any of them
function inputs(resources: Declared[], name: string): any {
  const found = resources.find((resource) => resource.name === name);
  if (!found) throw new Error(`nothing is declared as ${name}`);
  return found.inputs;
}

test("workers are done before the leader changes, and the check comes last", async () => {
  const resources = await build({ workers: ["rack2", "rack3"] });
  expect(shown(resources)).toHaveLength(13);
  const after = (name: string) => resources.find((resource) => resource.name === name)?.dependsOn;
  expect(after("big-rack3-worker")).toEqual(["big-rack3-packages", "big-rack3-files", "big-rack3-member"]);
  const workers = ["big-rack2-member", "big-rack2-worker", "big-rack3-member", "big-rack3-worker"];
  expect(after("big-rack1-packages")).toEqual(workers);
  expect(after("big-rack1-files")).toEqual(workers);
  expect(after("big-rack1-server")).toEqual(
    expect.arrayContaining(["big-rack1-packages", "big-rack1-files", "big-rack1-model", ...workers]),
  );
  expect(after("big-rack1-check")).toEqual(["big-rack1-server"]);
});

test("one machine alone needs no gate, no group and no member endpoint", async () => {
  const resources = await build({ workers: [] });
  expect(shown(resources).sort()).toEqual([
    "AptPackages big-rack1-packages",
    "Check big-rack1-check",
    "Files big-rack1-files",
    "ModelFiles big-rack1-model",
    "SystemdService big-rack1-server",
  ]);
  expect(inputs(resources, "big-rack1-server").unit).not.toContain("ExecStartPre");
  expect(resources.filter(({ inputs }) => inputs.witness !== undefined)).toEqual([]);
});

test("whichever part of a group fails, the leader is asked how all members stand to the generation wanted", async () => {
  const resources = (await build({ workers: ["rack2", "rack3"] })).filter(({ inputs }) => "host" in inputs);
  const [, generation] = /GPU_HOSTS_GENERATION=(\w+)/.exec(inputs(resources, "big-rack2-worker").unit) ?? [];
  const argv = [
    "/usr/local/lib/gpu-hosts/big/members",
    "/etc/gpu-hosts/big/group",
    generation,
    "llama-server-big.service",
  ];
  for (const { name, inputs } of resources) expect(inputs.witness, name).toEqual({ host: "rack1", argv });
  expect(inputs(resources, "big-rack1-files").files).toHaveProperty([argv[0] ?? ""]);
});

test("the key stands in one file that only root reads, and in no unit, argument or plain input", async () => {
  const resources = await build();
  const key = service().apiKey ?? "";
  const holders = resources
    .filter(({ inputs }) => JSON.stringify(inputs).includes(key))
    .map(({ name }) => name);
  expect(holders).toEqual(["big-rack1-files"]);
  expect(
    Object.fromEntries(
      resources.filter(({ secrets }) => secrets[0]).map(({ name, secrets }) => [name, secrets]),
    ),
  ).toEqual({
    "big-rack1-files": ["files"],
    "big-rack1-server": ["restartOn"],
    "big-rack1-check": ["generation"],
  });
  const file = inputs(resources, "big-rack1-files").files["/etc/gpu-hosts/big/api-key"];
  expect(file).toEqual({ content: `${key}\n`, mode: "0600" });
  expect(inputs(resources, "big-rack1-server").unit).toContain(
    "LoadCredential=api-key:/etc/gpu-hosts/big/api-key",
  );
});

test("a new key restarts the leader and runs the check again, but no worker", async () => {
  const [before, after] = [await build(), await build({ apiKey: "another-key-for-tests" })];
  const changed = before
    .filter(({ name, inputs: old }) => JSON.stringify(old) !== JSON.stringify(inputs(after, name)))
    .map(({ name }) => name);
  expect(changed.sort()).toEqual(["big-rack1-check", "big-rack1-files", "big-rack1-server"]);
});

test("a new build changes the generation in every member's unit", async () => {
  const packages = { "llama.cpp": "1:0.7.1", "llama.cpp-tools-extra": "1:0.7.1" };
  const [before, after] = [await build(), await build({ build: { packages } })];
  for (const name of ["big-rack2-worker", "big-rack1-server"]) {
    const generation = (resources: Declared[]) =>
      /GPU_HOSTS_GENERATION=(\w+)/.exec(inputs(resources, name).unit)?.[1];
    expect(generation(before)).toMatch(/^[0-9a-f]{12}$/);
    expect(generation(after)).not.toBe(generation(before));
  }
});

test("the model lies on the leader only, and comes from the hub of the stack", async () => {
  const resources = await build();
  const models = resources.filter(({ type }) => type === "gpuhost:index:ModelFiles");
  expect(models.map(({ inputs }) => inputs)).toMatchObject([
    { host: "rack1", name: "tiny/tiny-GGUF", source: { kind: "hub", endpoint: "http://hub.lan" } },
  ]);
});

test("a model from an address lies in a folder named after its content", async () => {
  const files = { "tiny.gguf": "a".repeat(64) };
  const resources = await build({ model: { url: "http://files.lan/tiny", files } });
  const model = inputs(resources, "big-rack1-model");
  expect(model).toMatchObject({ name: "big", source: { kind: "url", url: "http://files.lan/tiny" } });
  expect(inputs(resources, "big-rack1-server").unit).toContain(
    `--model /var/lib/gpu-hosts/models/big/${model.revision}/tiny.gguf`,
  );
});

test("what clients use", () => {
  const open = new Llamacpp("open", { service: service({ alias: "tiny" }), hosts, hub: "http://hub.lan" });
  expect([open.url, open.model]).toEqual(["http://rack1.lan:8080/v1", "tiny"]);
  expect(open.units).toEqual({
    rack1: ["llama-server-open.service"],
    rack2: ["llama-rpc-open.service", "llama-member-open.socket"],
  });
  const local = new Llamacpp("local", {
    service: service({ listen: "local" }),
    hosts,
    hub: "http://hub.lan",
  });
  expect(local.url).toBe("http://127.0.0.1:8080/v1");
  expect(pulumi.Resource.isInstance(local)).toBe(true);
});
