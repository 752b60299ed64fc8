import { expect, test } from "vitest";
import { z } from "zod";
import { engines } from "#components/engines.ts";
import { isMap, type Vendor } from "#components/serving/vendor.ts";
import { needsOf } from "./pins.ts";

const machine = (address: string, facts: object) => ({ platform: "linux", address, ...facts });
const hosts = {
  rack1: machine("10.0.0.11", { driver: "580.95.05", gpus: [{ model: "L4", computeCapability: "8.9" }] }),
  rack2: machine("10.0.0.12", { gpus: [] }),
  rack3: machine("10.0.0.13", { architecture: "aarch64", gpus: [] }),
};
const big = (build: object, workers = ["rack2"]) => ({
  big: { engine: "llamacpp", leader: "rack1", workers, build },
});
const base = "https://github.com/ggml-org/llama.cpp/releases/download/b2/";
const cuda = "llama-b2-bin-ubuntu-cuda-13.4-x64.tar.gz";
const [cpu, arm] = ["llama-b2-bin-ubuntu-x64.tar.gz", "llama-b2-bin-ubuntu-arm64.tar.gz"];
const release = [cuda, `cudart-${cuda}`, cpu, arm];

const needs = (services: unknown, version = "b2", mirrors?: unknown) =>
  needsOf("llamacpp", version, { hosts, services, mirrors }, async (url) =>
    release.includes(url.slice(url.lastIndexOf("/") + 1)),
  );

test("each machine's archive is needed once, the CUDA runtime with it, and what is written replaces tag and archives", async () => {
  const [need, ...others] = await needs(big({ release: { tag: "bNNNNN" } }, ["rack2", "rack3"]));
  expect(others).toEqual([]);
  expect(need?.files.map(({ url }) => url)).toEqual(
    [cuda, `cudart-${cuda}`, cpu, arm].map((name) => base + name),
  );
  expect(need?.pins(({ name }) => `hash of ${name}`)).toEqual([
    { path: ["build", "release", "tag"], value: "b2" },
    {
      path: ["build", "release", "archives"],
      value: Object.fromEntries([cuda, `cudart-${cuda}`, cpu, arm].map((name) => [name, `hash of ${name}`])),
    },
  ]);
});

test("a release that was only just named needs no tag of its own", async () => {
  const [need] = await needs(big({ release: null }));
  expect(need?.files).toHaveLength(3);
});

test("a source is one file for all machines, from the mirror or from its own address", async () => {
  const [need] = await needs(big({ source: {} }), "b2", { llamacpp: "http://mirror.lan/llama.cpp/" });
  expect(need?.files.map(({ url }) => url)).toEqual([
    "http://mirror.lan/llama.cpp/archive/refs/tags/b2.tar.gz",
  ]);
  const [own] = await needs(big({ source: { url: "http://files.lan/patched.tar.gz" } }));
  expect(own?.files.map(({ url }) => url)).toEqual(["http://files.lan/patched.tar.gz"]);
  expect(own?.pins(() => "hash")).toEqual([
    { path: ["build", "source", "tag"], value: "b2" },
    { path: ["build", "source", "sha256"], value: "hash" },
  ]);
});

test("what else is wrong in a service is no obstacle", async () => {
  const services = { big: { ...big({ release: { variant: "cpu" } }).big, port: "x", model: undefined } };
  expect(await needs(services)).toHaveLength(1);
});

test("a vendor may be of no engine and of no service: what it pins stands where its part does", async () => {
  const uv: Vendor = {
    mirror: "hub",
    version: /^\d/,
    example: "0.9",
    hint: "ask for it",
    parts: ({ base }, version) => (isMap(base) ? [{ path: ["base"], value: { ...base, version } }] : []),
    schema: z.looseObject({ version: z.string() }),
    at: ["uv"],
    need: async (_base, { mirror, version }) => {
      const file = { name: "uv", url: `${mirror}/uv-${version}.tar.gz` };
      return { files: [file], pins: (sha256) => [{ path: ["uv", "sha256"], value: sha256(file) }] };
    },
  };
  const raw = { hosts, base: { packages: ["htop"] } };
  const [need] = await needsOf("uv", "0.9", raw, async () => true, engines, { uv });
  expect(need).toMatchObject({ path: ["base"], where: "base.uv" });
  expect(need?.files).toEqual([{ name: "uv", url: "https://huggingface.co/uv-0.9.tar.gz" }]);
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    "something else",
    () => needsOf("vllm", "1", { hosts, services: {}, mirrors: {} }, async () => true),
    /vllm cannot be pinned; what can: llamacpp/,
  ],
  [
    "no version",
    () => needs(big({ release: {} }), "latest"),
    /latest is no version of llamacpp; they look like b11669/,
  ],
  [
    "no service that needs it",
    () => needs(big({ packages: { "llama.cpp": "any" } })),
    /nothing in the stack needs llamacpp/,
  ],
  [
    "a release without what a machine needs",
    () => needs(big({ release: { variants: { rack2: "vulkan" } } })),
    /services\.big\.build: b2 has no archive for vulkan on x64, which rack2 needs: there is nothing at https/,
  ],
  [
    "a wrong build",
    () => needs(big({ release: { variant: "metal" } })),
    /services\.big\.build\.release\.variant: must be auto, cpu/,
  ],
  [
    "a machine that nobody looked at",
    () =>
      needsOf(
        "llamacpp",
        "b2",
        { hosts: { ...hosts, rack2: machine("10.0.0.12", {}) }, services: big({ release: {} }), mirrors: {} },
        async () => true,
      ),
    /auto cannot choose for rack2/,
  ],
])("%s is refused", async (_what, asking, why) => {
  await expect(asking()).rejects.toThrow(why);
});
