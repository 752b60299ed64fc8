import { expect, test } from "vitest";
import { loadedModules } from "./kernel-modules.ts";

const read = (stdout: string) => loadedModules([]).parse({ exitCode: 0, stdout, stderr: "" });

test("a module that is loaded, with its version if it has one", () => {
  expect([...read("nvidia=580.95.05\nnouveau=\nend\n")]).toEqual([
    ["nvidia", "580.95.05"],
    ["nouveau", ""],
  ]);
  expect(read("end\n").size).toBe(0);
});

test("a list that breaks off is no answer", () => {
  expect(() => read("nvidia=580.95.05\n")).toThrow("has no end");
});
