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
  record: {},
  base: [],
});
const hosts = { rack1: host("rack1", 11), rack2: host("rack2", 12), rack3: host("rack3", 13) };

const mirrors = { hub: "http://hub.lan", llamacpp: "http://mirror.lan/llama.cpp" };

const build = (changes: Partial<LlamacppService> = {}): Promise<Declared[]> =>
  declared(() => new Llamacpp("big", { service: service(changes), hosts, mirrors }));

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
  const open = new Llamacpp("open", { service: service({ alias: "tiny" }), hosts, mirrors });
  expect([open.url, open.model]).toEqual(["http://rack1.lan:8080/v1", "tiny"]);
  expect(open.units).toEqual({
    rack1: ["llama-server-open.service"],
    rack2: ["llama-rpc-open.service", "llama-member-open.socket"],
  });
  const local = new Llamacpp("local", {
    service: service({ listen: "local" }),
    hosts,
    mirrors,
  });
  expect(local.url).toBe("http://127.0.0.1:8080/v1");
  expect(pulumi.Resource.isInstance(local)).toBe(true);
});

const hash = (digit: string) => digit.repeat(64);
const place = (digit: string) => `/var/lib/gpu-hosts/downloads/llama.cpp-big/${digit.repeat(12)}`;
const release = {
  release: {
    tag: "b2",
    variant: "cpu",
    variants: { rack2: "cuda-13.4" },
    archives: {
      "llama-b2-bin-ubuntu-x64.tar.gz": hash("a"),
      "llama-b2-bin-ubuntu-cuda-13.4-x64.tar.gz": hash("b"),
      "cudart-llama-b2-bin-ubuntu-cuda-13.4-x64.tar.gz": hash("c"),
    },
  },
};

test("a release: each machine fetches its own variant, and no machine moves before all have theirs", async () => {
  const resources = await build({ workers: ["rack2", "rack3"], build: release });
  const builds = ["big-rack1-build", "big-rack2-build", "big-rack3-build", "big-rack2-cuda"];
  expect(
    resources
      .filter(({ type }) => type === "gpuhost:index:Download")
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...builds].sort());
  expect(inputs(resources, "big-rack2-build")).toMatchObject({
    host: "rack2",
    name: "llama.cpp-big",
    url: "http://mirror.lan/llama.cpp/releases/download/b2/llama-b2-bin-ubuntu-cuda-13.4-x64.tar.gz",
    sha256: hash("b"),
    unpack: { strip: 1 },
    trial: ["llama-server", "--version"],
  });
  const after = (name: string) => resources.find((resource) => resource.name === name)?.dependsOn;
  for (const unit of ["big-rack2-worker", "big-rack3-worker", "big-rack1-server"])
    expect(after(unit)).toEqual(expect.arrayContaining(builds));
  // Its programs are tried where they are fetched, with the libraries of that machine.
  for (const name of builds)
    expect(after(name)).toEqual(name.endsWith("-build") ? [name.replace("build", "libraries")] : []);
  expect(resources.map(({ name }) => name)).not.toContain("big-rack1-packages");
});

test("units of a release run its programs, with the CUDA runtime beside them where there is one", async () => {
  const resources = await build({ workers: ["rack2", "rack3"], build: release });
  const unit = (name: string): string[] => inputs(resources, name).unit.split("\n");
  expect(unit("big-rack1-server").join("\n")).toContain(`\nExecStart=${place("a")}/llama-server --host`);
  expect(unit("big-rack1-server")).toContain(`Environment=GPU_HOSTS_BUILD=${place("a")}`);
  expect(unit("big-rack2-worker")).toContain(`Environment=GPU_HOSTS_BUILD=${place("b")}`);
  expect(unit("big-rack2-worker")).toContain(
    `Environment=LD_LIBRARY_PATH=/var/lib/gpu-hosts/downloads/llama.cpp.cuda-big/${"c".repeat(12)}`,
  );
  expect(unit("big-rack3-worker").join()).not.toContain("LD_LIBRARY_PATH");
});

test("a source: fetched, compiled with the flags of each machine's backend, and run from there", async () => {
  const source = {
    tag: "b2",
    sha256: hash("d"),
    variant: "cpu" as const,
    variants: { rack2: "cuda" as const },
    cudaArchitectures: ["86", "120"],
    cmake: ["-DGGML_LTO=ON"],
  };
  const resources = await build({ build: { source } });
  expect(inputs(resources, "big-rack1-source")).toMatchObject({
    url: "http://mirror.lan/llama.cpp/archive/refs/tags/b2.tar.gz",
    sha256: hash("d"),
  });
  const built = inputs(resources, "big-rack2-build");
  expect(built).toMatchObject({
    host: "rack2",
    source: `/var/lib/gpu-hosts/downloads/llama.cpp.source-big/${"d".repeat(12)}`,
    path: ["/usr/local/cuda/bin"],
  });
  const flags = ["-DGGML_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=86;120"];
  expect(built.cmake).toEqual(expect.arrayContaining([...flags, "-DGGML_LTO=ON", "-DLLAMA_BUILD_NUMBER=2"]));
  for (const flag of flags) expect(inputs(resources, "big-rack1-build").cmake).not.toContain(flag);
  expect(inputs(resources, "big-rack1-server").unit).toMatch(
    /\nExecStart=\/var\/lib\/gpu-hosts\/builds\/llama\.cpp-big\/[0-9a-f]{12}\/bin\/llama-server /,
  );
  const after = resources.find(({ name }) => name === "big-rack1-build")?.dependsOn;
  expect(after).toEqual(["big-rack1-tools", "big-rack1-source"]);
});
