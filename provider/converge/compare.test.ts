import { expect, test } from "vitest";
import { z } from "zod";
import { pathText } from "#inventory/problems.ts";
import { defineResource } from "#provider/contract/resource.ts";
import { compare, valueAt, withoutItems } from "./compare.ts";

const definition = defineResource({
  type: "Shelf",
  version: 1,
  inputs: z.strictObject({ label: z.string(), books: z.record(z.string(), z.object({ pages: z.number() })) }),
  identity: ["label"],
  id: (want) => want.label,
  items: (config) =>
    Object.keys(config.books ?? {}).map((name) => ({ name: `book ${name}`, path: ["books", name] })),
  observe: async () => undefined,
  *apply() {},
  *remove() {},
});

const want = { label: "a", books: { "/x": { pages: 1 }, "/y": { pages: 2 } } };

test("equal configurations do not differ", () => {
  expect(compare(want, { config: structuredClone(want) })).toEqual([]);
});

test("differences are found down to the item, whichever side lacks it", () => {
  const have = { label: "a", books: { "/y": { pages: 3 }, "/z": { pages: 4 } } };
  expect(compare(want, { config: have }).map((c) => `${c.kind} ${pathText(c.path)}`)).toEqual([
    'add books["/x"]',
    'update books["/y"].pages',
    'delete books["/z"]',
  ]);
});

test("a finding is a change of its own, beside equal configurations", () => {
  const findings = [{ path: ["books", "/x"], text: "stands upside down" }];
  expect(compare(want, { config: want, findings })).toEqual([
    { path: ["books", "/x"], kind: "finding", text: "stands upside down" },
  ]);
});

test("absence of the whole is one difference", () => {
  expect(compare(want, undefined)).toEqual([{ path: [], kind: "add", want }]);
});

test("a value is found by its path, a broken path finds nothing", () => {
  expect(valueAt(want, ["books", "/y", "pages"])).toBe(2);
  expect(valueAt(want, ["books", "/none", "pages"])).toBeUndefined();
});

test("taking items out leaves the rest, taking out the last leaves nothing", () => {
  expect(withoutItems(definition, want, new Set(["book /x"]))).toEqual({
    label: "a",
    books: { "/y": { pages: 2 } },
  });
  expect(withoutItems(definition, want, new Set(["book /x", "book /y"]))).toBeUndefined();
});
