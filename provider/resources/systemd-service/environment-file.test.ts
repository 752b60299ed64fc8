import { expect, test } from "vitest";
import { parseEnvironment, renderEnvironment } from "./environment-file.ts";

test("what is written is read back, whatever is in it", () => {
  const variables = {
    EMPTY: "",
    JSON: '{"a":["b\\n"]}',
    PRICE: "$5 `now`",
    QUOTES: `it's "so"`,
    SPACES: "  a  b ",
    TRAP: '"\\',
  };
  expect(parseEnvironment(renderEnvironment(variables))).toEqual(variables);
});

test("the order of the keys does not matter", () => {
  expect(renderEnvironment({ B: "2", A: "1" })).toBe(renderEnvironment({ A: "1", B: "2" }));
});

test("hand edits are read as systemd reads them", () => {
  expect(parseEnvironment("# note\n\nA=1\n  B = two words \nC='$x \\n'\nD=a\\ b\nnonsense\n; C=3\n")).toEqual(
    {
      A: "1",
      B: "two words",
      C: "$x \\n",
      D: "a b",
    },
  );
});
