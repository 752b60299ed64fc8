import { expect, test } from "vitest";
import { keyOf } from "#transport/command.ts";
import {
  type Generations,
  generationsBeside,
  generationsToRemove,
  removeGenerations,
} from "./generations.ts";
import { shown } from "./step.ts";

const used = { bytes: 1, used: true };
const unused = { bytes: 1, used: false };

test("a generation is in use while the owners record has its item", () => {
  const bytes = new Map([
    ["aaa", 5],
    ["bbb", 7],
  ]);
  expect(generationsBeside(bytes, new Set(["thing x/bbb"]), (name) => `thing x/${name}`)).toEqual({
    aaa: { bytes: 5, used: false },
    bbb: { bytes: 7, used: true },
  });
});

test.each<[string, boolean, Generations, string[], boolean]>([
  ["alone it goes, with the work under way", true, {}, ["me"], true],
  ["begun and alone it goes as well", false, {}, ["me"], true],
  [
    "the last one in use takes the unused along",
    true,
    { old: unused, older: unused },
    ["me", "old", "older"],
    true,
  ],
  ["replaced by one in use it stays as the previous", true, { new: used }, [], false],
  ["… and the previous of before goes", true, { new: used, old: unused }, ["old"], false],
  ["what never stood in its place is no previous one", false, { new: used }, ["me"], false],
  ["… and leaves with the unused", false, { new: used, old: unused }, ["me", "old"], false],
  ["none in use goes, however many there are", true, { new: used, other: used }, [], false],
])("%s", (_what, placed, others, remove, isLast) => {
  const found = generationsToRemove({ generation: "me", placed, others });
  expect({ ...found, remove: [...found.remove].sort() }).toEqual({ isLast, remove });
});

test("the steps stop the work first, then remove every trace at once, and the folders that are empty then", () => {
  const places = {
    work: "fetch-x",
    pathsOf: (name: string) => [`/top/x/${name}`, `/top/.partial/x/${name}`],
    parents: ["/top/x", "/top/.partial/x"],
    title: (names: readonly string[]) => names.join(" and "),
  };
  const steps = (others: Generations) => [
    ...removeGenerations({ generation: "me", placed: true, others }, places),
  ];
  const [stop, remove, ...more] = steps({ old: unused });
  expect(stop && shown(stop)).toBe("stop fetch-x, if it still runs");
  expect(remove && shown(remove)).toBe("remove old and me");
  expect(remove?.kind === "run" && keyOf(remove.command)).toBe(
    "rm -rf -- /top/x/old /top/.partial/x/old /top/x/me /top/.partial/x/me\n" +
      'for d in /top/x /top/.partial/x; do rmdir -p --ignore-fail-on-non-empty -- "$d" 2>/dev/null; done; true',
  );
  expect(more).toEqual([]);
  expect(steps({ new: used })).toEqual([]);
});
