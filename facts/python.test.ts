import { expect, test } from "vitest";
import { pythonVersion } from "./python.ts";

const parse = (stdout: string) =>
  pythonVersion("/venv/bin/python").parse({ exitCode: 0, stdout, stderr: "" } as never);

test("a version, or none", () => {
  expect(parse("python 3.11.2\n")).toBe("3.11.2");
  expect(parse("python 3.15.0rc1\n")).toBe("3.15.0rc1");
  expect(parse("none\n")).toBeUndefined();
});

test("anything else is no answer", () => {
  expect(() => parse("")).toThrow();
  expect(() => parse("python 3.11.2")).toThrow("breaks off");
});
