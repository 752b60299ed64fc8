import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { masker } from "./masker.ts";

const maskOf = (...secrets: readonly string[]) => masker({ secrets }, [["secrets"]]);

test("masking takes whole secrets and single lines of them", () => {
  const value = { env: "KEY=very-secret-1\nOTHER=very-secret-2\n", shown: "plain text" };
  const mask = masker(value, [["env"]]);
  expect(mask("failed near KEY=very-secret-1, plain text")).toBe("failed near [secret], plain text");
});

const nasty = `p"w\\d/é&<'${"x".repeat(6)}+`;
const json = JSON.stringify(nasty);
const base64 = (text: string) => Buffer.from(text).toString("base64");

test.each([
  ["as it is", nasty],
  ["in JSON", json.slice(1, -1)],
  ["in JSON in JSON", JSON.stringify(json).slice(3, -3)],
  ["in JSON of Go, and so of Pulumi", json.slice(1, -1).replace("&", "\\u0026").replace("<", "\\u003c")],
  ["in JSON of Python", json.slice(1, -1).replace("é", "\\u00e9")],
  ["in JSON of PHP", json.slice(1, -1).replace("/", "\\/")],
  ["in a URL", encodeURIComponent(nasty)],
  ["in a URL with small letters", encodeURIComponent(nasty).replaceAll(/%../g, (it) => it.toLowerCase())],
  ["in a form", new URLSearchParams({ "": nasty }).toString().slice(1)],
  ["between a shell's quotes", nasty.replace("'", "'\\''")],
  ["as base64", base64(nasty)],
  ["as base64 with a line break", base64(`${nasty}\n`)],
  ["as base64 for URLs", Buffer.from(`a?>${nasty}`).toString("base64url")],
  ["in Authorization: Basic", base64(`u:${nasty}`)],
  ["in Authorization: Basic of another user", base64(`us:${nasty}`)],
  ["in Authorization: Basic of a third", base64(`use:${nasty}`)],
])("a secret %s is masked", (_, text) => {
  expect(maskOf(nasty)(`before ${text} after`)).toBe("before [secret] after");
});

test("a secret in a JSON text is masked, and the text stays JSON", () => {
  const masked = maskOf(nasty)(JSON.stringify({ error: `wrong key ${nasty}`, code: 401 }));
  expect(JSON.parse(masked)).toEqual({ error: "wrong key [secret]", code: 401 });
});

test.each([
  ["1234", "the PIN 1234 is wrong; (1234), PIN=1234", "the PIN [secret] is wrong; ([secret]), PIN=[secret]"],
  ["1234", "port 12345, 01234, a1234 and 1234_", undefined],
  ["abc", "abc\nabcd", "[secret]\nabcd"],
  ["abc\n", "says abc", "says [secret]"],
  ['a"b', '{"pw":"a\\"b"}', '{"pw":"[secret]"}'],
  ["é1", "é1 é12", "[secret] é12"],
])("a short secret is masked as a word of its own: %j in %j", (secret, text, masked = text) => {
  expect(maskOf(secret)(text)).toBe(masked);
});

test("of a private key each line is masked, as it is and in JSON", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const mask = maskOf(key);
  const [, line = ""] = key.split("\n");
  expect(line.length).toBeGreaterThan(20);
  for (const text of [
    key,
    JSON.stringify(key),
    `bad line: ${line}`,
    key.replaceAll("\n", "\r\n"),
    base64(key),
  ])
    expect(mask(text)).not.toContain(line.slice(4, 20));
  expect(mask(base64(key))).toBe("[secret]");
});

test("short lines of a text of several lines, and what is no secret, stay", () => {
  const mask = maskOf("{\n  token: sk-12345\n}\n", "");
  expect(mask("{ fine }")).toBe("{ fine }");
  expect(mask("it has token: sk-12345")).toBe("it has [secret]");
  expect(mask("")).toBe("");
});

test("a secret that is the word of the mask, or a part of another, does not break it", () => {
  expect(maskOf("secret")("a secret")).toBe("a [secret]");
  expect(maskOf("hunter2", "hunter2-long")("hunter2-long hunter2")).toBe("[secret] [secret]");
});

test("a long text of a host takes no long time", () => {
  const start = performance.now();
  maskOf(nasty, "hunter2-hunter2", "1234")("A1234".repeat(400_000));
  expect(performance.now() - start).toBeLessThan(2000);
});
