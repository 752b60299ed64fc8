import { expect, test } from "vitest";
import { touchesSecret, unknownPaths, unwrap, wrap } from "./secrets.ts";

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

const wrapped = {
  files: { "/k": { content: secret("hunter2-hunter2"), mode: "0600" } },
  list: ["a", secret({ x: 1 })],
};

test("marks come off and go back on where they stood", () => {
  const { value, secretPaths } = unwrap(wrapped);
  expect(value).toEqual({
    files: { "/k": { content: "hunter2-hunter2", mode: "0600" } },
    list: ["a", { x: 1 }],
  });
  expect(wrap(value, secretPaths)).toEqual(wrapped);
});

test("a secret of a stack export carries JSON text", () => {
  const exported = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    plaintext: '{"a":[1]}',
  };
  expect(unwrap({ key: exported })).toEqual({ value: { key: { a: [1] } }, secretPaths: [["key"]] });
});

test("a mark whose place is gone is not needed", () => {
  expect(wrap({ files: {} }, [["files", "/k", "content"]])).toEqual({ files: {} });
});

test("a difference above, at or below a secret touches it, beside it not", () => {
  const paths = [["files", "/k", "content"]];
  expect(touchesSecret(["files"], paths)).toBe(true);
  expect(touchesSecret(["files", "/k", "content"], paths)).toBe(true);
  expect(touchesSecret(["files", "/k", "mode"], paths)).toBe(false);
});

test("unknown values are found by path", () => {
  expect(unknownPaths({ a: [{ b: "04da6b54-80e4-46f7-96ec-b56ff0331ba9" }], c: 1 })).toEqual([["a", 0, "b"]]);
});
