import { expect, test } from "vitest";
import { z } from "zod";
import { parseConfiguration } from "#stacks/config.ts";
import { readInventory } from "./inventory.ts";
import { parseValue, pathText, problemLines, suggestion } from "./problems.ts";

test.each([
  [["a", "b"], "a.b"],
  [["a", 0, "b"], "a[0].b"],
  [["files", "/etc/x", "mode"], 'files["/etc/x"].mode'],
  [["build", "packages", "llama.cpp"], 'build.packages["llama.cpp"]'],
  [["hosts", "rack-1", "port"], "hosts.rack-1.port"],
  [["gpu-hosts:services"], "gpu-hosts:services"],
])("path %j reads %s", (path, text) => {
  expect(pathText(path)).toBe(text);
});

const said = (schema: z.ZodType, value: unknown) => problemLines(parseValue(schema, value, ["it"]).problems);

const amount = z.union([z.int().min(0), z.literal(["auto", "all"])]).describe("How many.");
const way = z.union([z.string().refine((text) => text !== "bad", "is bad"), z.array(z.string())]);

test.each<[string, z.ZodType, unknown, string[]]>([
  ["no branch of a union", amount, "most", ['it: must be a number or one of "auto", "all"']],
  ["a missing union", amount, undefined, ["it: is missing: How many."]],
  ["a value of a branch that is wrong in it", amount, -1, ["it: must be at least 0, is -1"]],
  ["a branch with words of its own", way, "bad", ["it: is bad"]],
  ["an item of a branch", way, ["a", 1], ["it[1]: must be a text, is a number; put it in quotes"]],
  ["a fraction", z.int(), 80.5, ["it: must be a whole number, is 80.5"]],
  [
    "unknown keys, each with the known one that is near",
    z.strictObject({ port: z.int().optional(), from: z.string().optional() }),
    { prot: 1, fron: 2, "a\nb": 3 },
    [
      "it.prot: is not a known key; did you mean port?",
      "it.fron: is not a known key; did you mean from?",
      'it["a\\nb"]: is not a known key; known here: port, from',
    ],
  ],
  [
    "unknown keys of two maps at once",
    z.strictObject({ a: z.strictObject({ left: z.int() }), b: z.strictObject({ right: z.int() }) }),
    { a: { left: 1, x: 1 }, b: { right: 1, x: 1 } },
    ["it.a.x: is not a known key; known here: left", "it.b.x: is not a known key; known here: right"],
  ],
])("%s is told in the operator's words", (_what, schema, value, expected) => {
  expect(said(schema, value)).toEqual(expected);
});

test("what a secret is not, never shows what it is", () => {
  expect(said(z.strictObject({ key: z.string().min(16) }), { key: 12345678901234 }).join()).not.toContain(
    "1234",
  );
});

test("a mistake in the inventory reads the same whoever meets it", () => {
  const raw = {
    hosts: {
      rack1: { platform: "linux", address: "10.0.0.11", port: "22", prot: 1 },
      "Rack 2": { platform: "linux", address: "10.0.0.12" },
      rack3: { platform: "linux", address: "10.0.0.13", jump: 5 },
    },
    credentials: { rack1: { sudoPassword: 1 } },
  };
  const linesOf = (read: () => unknown): string[] => {
    try {
      read();
    } catch (error) {
      return (error as Error).message.split("\n").slice(1);
    }
    return [];
  };
  const expected = [
    "  hosts.rack1.port: must be a number, is a text; write it without quotes",
    "  hosts.rack1.prot: is not a known key; did you mean port?",
    '  hosts["Rack 2"]: a host name is lower case letters, digits and inner hyphens',
    "  hosts.rack3.jump: must be a text or a list",
    "  credentials.rack1.sudoPassword: must be a text, is a number; put it in quotes",
  ];
  expect(linesOf(() => readInventory(raw)).sort()).toEqual([...expected].sort());
  expect(linesOf(() => parseConfiguration(raw)).sort()).toEqual([...expected].sort());
});

test("a word is suggested by how near it is", () => {
  expect(suggestion("prot", ["port", "user"])).toBe("; did you mean port?");
  expect(suggestion("zzzzzz", ["port", "user"])).toBe("; known here: port, user");
  expect(suggestion("zzzzzz", [])).toBe("");
});
