import { expect, test } from "vitest";
import { parse } from "yaml";
import { engines } from "#components/engines.ts";
import { unguardedPortWarnings } from "./guests.ts";
import { baseSchema } from "./schema.ts";

const openings = {
  rack1: [
    { protocol: "tcp" as const, port: 8081, from: "any" as const, why: "talk: the API" },
    { protocol: "tcp" as const, port: 50052, from: ["10.0.0.11"], why: "talk: the RPC worker" },
    { protocol: "udp" as const, port: 41641, from: "any" as const, why: "tailnet: WireGuard" },
  ],
  rack2: [],
};

test("what a stack needs of the one that has a machine's base is told in that stack's own words", () => {
  const [line = "", ...others] = unguardedPortWarnings(
    { rack1: { base: false }, rack2: { base: false } },
    openings,
  );
  expect(others).toEqual([]);
  const yaml = line.split("\n").slice(1, -1).join("\n");
  const { openings: asked } = baseSchema(engines).parse(parse(yaml));
  expect(asked).toEqual({ rack1: openings.rack1 });
});

test("machines whose base is ours, or that retire, need nobody else", () => {
  expect(unguardedPortWarnings({ rack1: { base: true } }, openings)).toEqual([]);
  expect(unguardedPortWarnings({ rack1: { base: false, retire: true } }, openings)).toEqual([]);
});
