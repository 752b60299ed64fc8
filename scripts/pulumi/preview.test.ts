import { expect, test } from "vitest";
import { parsePreview } from "./preview.ts";

test("steps with their host, warnings and errors", () => {
  const urn = "urn:pulumi:lab::gpu-hosts::gpuhost:index:Files::base";
  const printed = {
    config: {},
    steps: [
      { op: "create", urn, newState: { parent: "urn:parent", inputs: { host: "rack1" } } },
      { op: "delete", urn, oldState: { inputs: { host: "rack2" } } },
    ],
    diagnostics: [
      { urn, message: "not compared with the host: no answer\n", severity: "warning" },
      { message: "boom", severity: "error" },
    ],
    changeSummary: { create: 1 },
  };
  expect(parsePreview(JSON.stringify(printed))).toEqual({
    steps: [
      { op: "create", urn, parent: "urn:parent", host: "rack1" },
      { op: "delete", urn, parent: undefined, host: "rack2" },
    ],
    warnings: ["base: not compared with the host: no answer"],
    errors: ["boom"],
  });
});

test("nothing printed", () => {
  expect(parsePreview("")).toBeUndefined();
});
