import { expect, test } from "vitest";
import { parse } from "yaml";
import { askedOfOthers } from "./guests.ts";

const openings = {
  rack1: [
    { port: 8081, from: "any" as const, why: "talk: the API" },
    { port: 50052, from: ["10.0.0.11"], why: "talk: the RPC worker" },
  ],
  rack2: [],
};

test("what a stack needs of the one that has a machine's base is told in that stack's own words", () => {
  const [line = "", ...others] = askedOfOthers({ rack1: { base: false }, rack2: { base: false } }, openings);
  expect(others).toEqual([]);
  const yaml = line.split("\n").slice(1, -1).join("\n");
  expect(parse(yaml)).toEqual({ openings: { rack1: openings.rack1 } });
});

test("machines whose base is ours, or that retire, need nobody else", () => {
  expect(askedOfOthers({ rack1: { base: true } }, openings)).toEqual([]);
  expect(askedOfOthers({ rack1: { base: false, retire: true } }, openings)).toEqual([]);
});
