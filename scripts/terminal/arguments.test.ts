import { describe, expect, test } from "vitest";
import { readArguments } from "./arguments.ts";

const options = {
  host: { type: "string", what: "" },
  json: { type: "boolean", what: "" },
  junit: { type: "string", what: "" },
  yes: { type: "boolean", what: "" },
} as const;
const command = { name: "try", what: "", words: ["stack"], options, exitCodes: {}, example: "" } as const;
const read = (argv: string[], env: NodeJS.ProcessEnv = {}) => readArguments(command, argv, env);

test("the stack is a word, options stand anywhere", () => {
  expect(read(["--json", "prod", "--host", "rack1"])).toEqual({
    words: ["prod"],
    values: { json: true, host: "rack1" },
  });
});

test.each([
  [[], "name the stack"],
  [["prod", "lab"], "one stack at a time; what is lab?"],
  [["prod", "--hots", "x"], "Unknown option '--hots'; did you mean --host?"],
  [["prod", "--host"], "Option '--host <value>' argument missing"],
  [["--", "-x"], "-x is no name of a stack"],
])("%j is refused", (argv, message) => {
  expect(() => read(argv)).toThrow(message);
});

// What npm 11 leaves of `npm run up prod --host rack1 --json`, and so on.
describe("options that npm kept, as `--` was left out", () => {
  test("a switch, and a value after =", () => {
    expect(read(["prod"], { npm_config_json: "true", npm_config_host: "rack1" }).values).toEqual({
      json: true,
      host: "rack1",
    });
  });

  test("a value that became a word", () => {
    expect(read(["prod", "rack1"], { npm_config_host: "true" })).toEqual({
      words: ["prod"],
      values: { host: "rack1" },
    });
  });

  test("two such values cannot be told apart, and acting on all hosts would be wrong", () => {
    expect(() =>
      read(["prod", "rack1", "out.xml"], { npm_config_host: "true", npm_config_junit: "true" }),
    ).toThrow("--");
    expect(() => read(["prod"], { npm_config_host: "true" })).toThrow("write `--` before the options");
  });

  test("--yes is never taken from npm's settings", () => {
    expect(read(["prod"], { npm_config_yes: "true" }).values).toEqual({});
  });

  test("what stands on the command line wins", () => {
    expect(read(["prod", "--host", "a"], { npm_config_host: "b" }).values).toEqual({ host: "a" });
  });
});
