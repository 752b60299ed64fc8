import { expect, test } from "vitest";
import { targetsOf } from "./targets.ts";

const urn = (types: string, name: string) => `urn:pulumi:lab::gpu-hosts::${types}::${name}`;
const stack = urn("pulumi:pulumi:Stack", "gpu-hosts-lab");
const component = urn("gpu-hosts:index:LinuxHost", "rack1");
const step = (op: string, at: string, host?: string, parent = stack) => ({ op, urn: at, parent, host });

test("everything on the host, yet to be created or to go, and the components it is part of", () => {
  const base = urn("gpu-hosts:index:LinuxHost$gpuhost:index:Files", "rack1-base");
  const old = urn("gpuhost:index:Files", "rack1-old");
  const steps = [
    { op: "same", urn: stack, parent: undefined, host: undefined },
    step("create", component),
    step("create", base, "rack1", component),
    step("delete", old, "rack1"),
    step("create", urn("gpuhost:index:Files", "rack10-base"), "rack10"),
  ];
  expect(targetsOf("rack1", steps)).toEqual([base, component, old]);
  expect(targetsOf("rack2", steps)).toEqual([]);
});
