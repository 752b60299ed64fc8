import { expect, test } from "vitest";
import { z } from "zod";
import type { AnyDefinition } from "#provider/contract/resource.ts";
import { definitions } from "#provider/resources/index.ts";
import { unitsOf } from "./logs.ts";

const urn = (type: string, name: string) => `urn:pulumi:lab::gpu-hosts::${type}::${name}`;
const unit = (service: string, host: string, name: string) => ({
  urn: urn("gpu-hosts:index:Llamacpp$gpuhost:index:SystemdService", `${service}-${host}-${name}`),
  parent: urn("gpu-hosts:index:Llamacpp", service),
  type: "gpuhost:index:SystemdService",
  id: `${host}:${name}`,
  inputs: { host, name },
});
const exported = {
  deployment: {
    resources: [
      unit("big", "alpha", "llama-server-big.service"),
      unit("big", "beta", "llama-rpc-big.service"),
      unit("big", "beta", "llama-member-big.socket"),
      unit("chat", "beta", "llama-server-chat.service"),
      { ...unit("big", "beta", "old.service"), delete: true },
      {
        urn: urn("gpuhost:index:Files", "big-beta-files"),
        parent: urn("gpu-hosts:index:Llamacpp", "big"),
        type: "gpuhost:index:Files",
      },
    ],
  },
};

test("a service's units on all its machines", () => {
  expect(unitsOf(exported, "big")).toEqual([
    { host: "alpha", on: "linux", units: ["llama-server-big.service"] },
    { host: "beta", on: "linux", units: ["llama-rpc-big.service", "llama-member-big.socket"] },
  ]);
});

test("any resource that has journals brings its units, those of another system apart", () => {
  const exporter: AnyDefinition = {
    ...(definitions.get("SystemdService") as AnyDefinition),
    type: "Exporter",
    on: "windows",
    inputs: z.strictObject({ name: z.string() }),
    journalUnits: ({ name }) => [`${name}.service`, `${name}.socket`],
  };
  (definitions as Map<string, AnyDefinition>).set("Exporter", exporter);
  const more = {
    ...unit("big", "alpha", "metrics"),
    type: "gpuhost:index:Exporter",
    outputs: { applied: { name: "metrics" } },
  };
  const resources = [...exported.deployment.resources, more];
  expect(unitsOf({ deployment: { resources } }, "big")).toContainEqual({
    host: "alpha",
    on: "windows",
    units: ["metrics.service", "metrics.socket"],
  });
});

test("a unit that a refresh found gone is still asked for its journal", () => {
  const gone = unit("big", "alpha", "llama-server-big.service");
  const resources = [
    { ...gone, inputs: { host: "alpha" }, outputs: { applied: { name: "llama-server-big.service" } } },
  ];
  expect(unitsOf({ deployment: { resources } }, "big")).toMatchObject([
    { units: ["llama-server-big.service"] },
  ]);
});

test("a service that is not deployed is told with those that are", () => {
  expect(() => unitsOf(exported, "bog")).toThrow(
    "no service bog is deployed; the stack's state has: big, chat",
  );
  expect(() => unitsOf({ deployment: {} }, "big")).toThrow("none yet, run up first");
});
