import { expect, test } from "vitest";
import { unitWord } from "./unit.ts";

test.each([
  ["plain-1.0", "plain-1.0"],
  ["two words", '"two words"'],
  ["", '""'],
  ["100%", "100%%"],
  ["$HOME", "$$HOME"],
  ['say "hi" \\ now', '"say \\"hi\\" \\\\ now"'],
  [";", '";"'],
])("the word %j stands in a unit as %s", (value, expected) => {
  expect(unitWord(value)).toBe(expected);
});

test("a word with a line break is refused", () => {
  expect(() => unitWord("a\nExecStart=evil")).toThrow(/line break/);
});
