import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { engines } from "#components/engines.ts";
import { configurationSchema } from "#stacks/schema.ts";
import { componentOutputs, type Declared, declared } from "#tests/support/declared.ts";

const text = readFileSync(new URL("../../Pulumi.prod.yaml", import.meta.url), "utf8");

/** The worked example as the engine hands it to the program: JSON, secrets decrypted. */
function exampleConfig(): Record<string, string> {
  const { config } = parse(text.replaceAll(/\n\s+secure: PLACEHOLDER/g, " only-for-tests-0123"));
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, JSON.stringify(value)]));
}

let resources: Declared[];
let outputs: { services: Record<string, { url: string; curl: string }> };
beforeAll(async () => {
  pulumi.runtime.setAllConfig(exampleConfig());
  resources = await declared(async () => {
    outputs = (await import("#stacks/index.ts")).default as unknown as typeof outputs;
  });
});

const hosted = () => resources.filter(({ type }) => type.startsWith("gpuhost:"));

test("the worked example declares these resources", () => {
  expect(resources.map(({ type, name }) => `${type} ${name}`).sort()).toMatchInlineSnapshot(`
    [
      "gpu-hosts:index:LinuxHost rack1",
      "gpu-hosts:index:LinuxHost rack2",
      "gpu-hosts:index:Llamacpp big",
      "gpu-hosts:index:Llamacpp chat",
      "gpu-hosts:index:NvidiaDriver rack1",
      "gpuhost:index:AptPackages big-rack1-packages",
      "gpuhost:index:AptPackages big-rack2-packages",
      "gpuhost:index:AptPackages chat-rack2-packages",
      "gpuhost:index:AptPackages rack1-packages",
      "gpuhost:index:AptPackages rack2-packages",
      "gpuhost:index:Check big-rack1-check",
      "gpuhost:index:Check chat-rack2-check",
      "gpuhost:index:Files big-rack1-files",
      "gpuhost:index:Files big-rack2-files",
      "gpuhost:index:Files chat-rack2-files",
      "gpuhost:index:Files rack1-files",
      "gpuhost:index:Files rack2-files",
      "gpuhost:index:Firewall rack1-firewall",
      "gpuhost:index:Firewall rack2-firewall",
      "gpuhost:index:ModelFiles big-rack1-model",
      "gpuhost:index:ModelFiles chat-rack2-model",
      "gpuhost:index:NvidiaDriver rack1-driver",
      "gpuhost:index:SystemdService big-rack1-server",
      "gpuhost:index:SystemdService big-rack2-member",
      "gpuhost:index:SystemdService big-rack2-worker",
      "gpuhost:index:SystemdService chat-rack2-server",
    ]
  `);
});

test("the state knows of each resource that it was declared, whether or not it is ever made", () => {
  const declared = [...componentOutputs.values()].flatMap(
    ({ declared = [] }) => declared as { name: string }[],
  );
  expect(declared.map(({ name }) => name).sort()).toEqual(
    hosted()
      .map(({ name }) => name)
      .sort(),
  );
  expect(declared).toContainEqual({ host: "rack1", name: "big-rack1-server", type: "SystemdService" });
});

test("what a service has on a machine waits for the machine's base", () => {
  const base = ["rack2-packages", "rack2-files", "rack2-firewall"];
  for (const name of ["chat-rack2-packages", "chat-rack2-model", "chat-rack2-files", "big-rack2-packages"]) {
    expect(resources.find((resource) => resource.name === name)?.dependsOn, name).toEqual(
      expect.arrayContaining(base),
    );
  }
});

test("a worker's ports are open to its leader only, a local service's to nobody", () => {
  const firewall = resources.find(({ name }) => name === "rack2-firewall");
  expect(firewall?.inputs.ports).toEqual({
    "tcp/8080": { from: [], comment: "chat: the API" },
    "tcp/50052": { from: ["10.0.0.11"], comment: "big: the RPC worker" },
    "tcp/50062": { from: ["10.0.0.11"], comment: "big: the member endpoint" },
  });
});

test("no machine needs more than 25 resources", () => {
  for (const host of ["rack1", "rack2"]) {
    expect(hosted().filter(({ inputs }) => inputs.host === host).length).toBeLessThanOrEqual(25);
  }
});

test("the curl line fetches the key and does not hold it", () => {
  const { curl } = outputs.services.big ?? { curl: "" };
  expect(curl).toContain(
    'curl http://192.0.2.11:8081/v1/chat/completions -H "Authorization: Bearer $(npx pulumi stack output --stack test --show-secrets big-apiKey)"',
  );
  expect(JSON.stringify(outputs.services)).not.toContain("only-for-tests");
});

interface Schema {
  readonly description?: string;
  readonly properties?: Record<string, Schema>;
  readonly [key: string]: unknown;
}

/** Every key that an operator can write, with its description; keys below a map's own names included. */
function keysOf(schema: Schema): [string, Schema][] {
  const inner = Object.values(schema).flatMap((value) => [value].flat() as unknown[]);
  const below = inner.filter((value): value is Schema => typeof value === "object" && value !== null);
  const own = Object.entries(schema.properties ?? {});
  return [
    ...own,
    ...own.flatMap(([, value]) => keysOf(value)),
    ...below.filter((value) => value !== schema.properties).flatMap(keysOf),
  ];
}

const configuration = configurationSchema(engines);
const keys = keysOf(z.toJSONSchema(configuration, { io: "input" }) as Schema).filter(
  ([key]) => !(key in configuration.shape),
);

test("every key of the schema is described", () => {
  expect(keys.length).toBeGreaterThan(40);
  expect(keys.filter(([, { description }]) => !description).map(([key]) => key)).toEqual([]);
});

test("every key of the schema stands in the worked example, in use or in a comment", () => {
  expect(
    [...new Set(keys.map(([key]) => key))].filter((key) => !new RegExp(`\\b${key}\\b`).test(text)),
  ).toEqual([]);
});
