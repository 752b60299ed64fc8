import { expect, test } from "vitest";
import { HostError, lastLines } from "./errors.ts";
import { harmless } from "./harmless.ts";
import { NotYet } from "./way.ts";

test.each([
  ["a title", "a\u001b]0;owned\u0007b", "ab"],
  ["the clipboard", "a\u001b]52;c;cm0gLXJm\u0007b", "ab"],
  ["an OSC that ends with ST", "a\u001b]8;;http://evil\u001b\\b", "ab"],
  ["colour and a cleared screen", "\u001b[2J\u001b[31mred\u001b[0m", "red"],
  ["a lone escape", "a\u001b", "a"],
  ["C0 and DEL", "a\u0000\u0007\u0008\r\u007fb", "ab"],
  ["C1", "a\u0085\u009f\u0080b", "ab"],
  ["directions", "safe\u202egnp.exe\u202c \u2066x\u2069", "safegnp.exe x"],
])("%s does not reach the terminal", (_, text, rest) => {
  expect(harmless(text)).toBe(rest);
});

test("what is only text stays", () => {
  const text = "größe\t漢字 🎉\n[31m ]0; é";
  expect(harmless(text)).toBe(text);
});

test("errors and the last lines of an output are harmless", () => {
  const evil = "\u001b]52;c;cm0=\u0007boo\u001b[2J\u202e";
  const host = { name: "gpu1", target: "root@gpu1" };
  const error = new HostError(host, "refused", `it said ${evil}`, `look at ${evil}`);
  expect(error.message).toBe("gpu1 (root@gpu1): it said boo\n  look at boo");
  expect([error.what, error.hint]).toEqual(["it said boo", "look at boo"]);
  expect(lastLines(`one\r\n${evil}\n10 %\r20 %\n`)).toBe("  one\n  boo\n  10 %\n  20 %");
  expect(new NotYet(evil).message).toBe("boo");
});
