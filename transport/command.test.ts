import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { quote, sh } from "./command.ts";

/** Strings that a careless quoting breaks; the transport's own test sends the same over SSH. */
const nasty = [
  "",
  " ",
  "two words",
  "it's",
  "'",
  "''",
  "'\"'\"'",
  '"double"',
  "$HOME",
  "$(id)",
  "`id`",
  "a\\b",
  "\\",
  "\\n",
  "line\nbreak\n",
  "\ttab",
  "*",
  "~",
  "a;b&c|d>e<f",
  "!history",
  "#comment",
  "-n",
  "--",
  "%s%n",
  "{a,b}",
  "[x]",
  "größe 漢字 🎉",
  "\u0001\u007f\r",
];

test.each(nasty)("quoting brings %j back unchanged", (text) => {
  const script = `printf '%s' ${quote(text)}`;
  expect(execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" })).toBe(text);
});

test("plain words stay as they are, for readable texts", () => {
  expect(sh`systemctl restart ${"llama-server@1.service"}`.text).toBe(
    "systemctl restart llama-server@1.service",
  );
});

test("an array becomes one word each, another command is put in as it stands", () => {
  const inner = sh`test -e ${"/a b"}`;
  expect(sh`if ${inner}; then echo ${["x y", "z", 3]}; fi`.text).toBe(
    "if test -e '/a b'; then echo 'x y' z 3; fi",
  );
});

test("an empty array is no word at all", () => {
  expect(sh`echo ${[]} end`.text).toBe("echo  end");
});

test("a NUL byte is refused: no shell word can hold one", () => {
  expect(() => quote("a\0b")).toThrow("NUL");
});
