import { expect, test } from "vitest";
import { groupOf, renderGroup } from "./group.ts";
import { service } from "./samples.ts";

const addressOf = (host: string) => `10.0.0.1${host.at(-1)}`;
const group = (changes: Parameters<typeof service>[0] = {}, address = addressOf) =>
  groupOf("big", service(changes), address);

test("the leader is member 0, workers follow in their order", () => {
  expect(group({ workers: ["rack3", "rack2"] }).members).toEqual([
    { index: 0, host: "rack1", address: "10.0.0.11" },
    { index: 1, host: "rack3", address: "10.0.0.13" },
    { index: 2, host: "rack2", address: "10.0.0.12" },
  ]);
});

const { generation } = group();

test.each<[string, string]>([
  ["order of the workers", group({ workers: ["rack3"] }).generation],
  ["address of a member", group({}, (host) => `10.1.0.1${host.at(-1)}`).generation],
  ["build", group({ build: { packages: { "llama.cpp": "1:0.7.0" } } }).generation],
  ["port of the workers", group({ rpcPort: 50053 }).generation],
  ["model", group({ model: { ...service().model, revision: "f".repeat(40) } }).generation],
])("another %s is another generation", (_what, other) => {
  expect(other).toMatch(/^[0-9a-f]{12}$/);
  expect(other).not.toBe(generation);
});

const release = (tag: string, more: object = {}) =>
  group({ build: { release: { tag, variant: "auto", variants: {}, archives: {}, ...more } } });

test("members of a release agree on its tag; each may run a variant of its own", () => {
  const { generation } = release("b2");
  expect(release("b2", { variants: { rack2: "cuda-13.4" }, archives: { x: "y" } }).generation).toBe(
    generation,
  );
  expect(release("b3").generation).not.toBe(generation);
  expect(renderGroup(release("b2"))).toContain("\nbuild b2\n");
});

test("members of a source agree on its content, not on how each compiles it", () => {
  const source = {
    tag: "b2",
    sha256: "a".repeat(64),
    variant: "auto" as const,
    variants: {},
    cudaArchitectures: [],
    cmake: [],
  };
  const of = (change: object) => group({ build: { source: { ...source, ...change } } });
  const { generation } = of({});
  expect(of({ cudaArchitectures: ["89"], variant: "cuda" }).generation).toBe(generation);
  expect(of({ sha256: "b".repeat(64) }).generation).not.toBe(generation);
  expect(renderGroup(of({}))).toContain("\nbuild b2, source aaaaaaaaaaaa\n");
});

test("groups of packages keep the generation that the first release gave them", () => {
  expect(group().generation).toBe("3b78dfc98c14");
});

test("what concerns the leader alone leaves the workers as they are", () => {
  expect(
    group({ context: 4096, port: 9000, apiKey: "another-key-for-tests", extraArgs: ["-v"] }).generation,
  ).toBe(generation);
});

test("the first of a model's files is served, so their order counts", () => {
  const files = { "a.gguf": "a".repeat(64), "b.gguf": "b".repeat(64) };
  const turned = Object.fromEntries(Object.entries(files).reverse());
  const of = (files: Record<string, string>) => group({ model: { ...service().model, files } }).generation;
  expect(of(turned)).not.toBe(of(files));
});

test("the group file has one record a line", () => {
  expect(renderGroup(group())).toBe(`group big
generation ${generation}
packages libggml0-backend-rpc llama.cpp llama.cpp-tools-extra
ports 50052 50062
member 0 rack1 10.0.0.11
member 1 rack2 10.0.0.12
`);
});
