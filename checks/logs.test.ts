import { expect, test } from "vitest";
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

test("a service that is not deployed is told with those that are", () => {
  expect(() => unitsOf(exported, "bog")).toThrow(
    "no service bog is deployed; the stack's state has: big, chat",
  );
  expect(() => unitsOf({ deployment: {} }, "big")).toThrow("none yet, run up first");
});
