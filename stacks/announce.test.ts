import { expect, test } from "vitest";
import { outages } from "./announce.ts";

const service = (generation: string, machines: readonly string[]) => ({
  generation,
  units: Object.fromEntries(machines.map((machine) => [machine, []])),
});

test("a service on several machines that changes its generation is announced with its machines", () => {
  const lines = outages({ big: service("aaa", ["rack1"]) }, { big: service("bbb", ["rack1", "rack2"]) });
  expect(lines).toEqual([
    "big changes from generation aaa to bbb: it answers nothing until rack1, rack2 all run the new one",
  ]);
});

test.each([
  ["new", {}, service("aaa", ["rack1", "rack2"])],
  ["as it was", { big: service("aaa", ["rack1", "rack2"]) }, service("aaa", ["rack1", "rack2"])],
  ["on one machine", { big: service("aaa", ["rack1"]) }, service("bbb", ["rack1"])],
])("a service that is %s is not announced", (_what, before, big) => {
  expect(outages(before, { big })).toEqual([]);
});
