import { expect, test } from "vitest";
import { stampedFiles } from "#facts/model-files.ts";
import { pathText } from "#inventory/problems.ts";
import type { LongStep, Step } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { lookedAt, modelFiles } from "./model-files.ts";
import { modelFile, partialFolder } from "./places.ts";

const hash = (digit: string) => digit.repeat(64);
const inputs = {
  name: "org/model-GGUF",
  revision: "0123abc",
  files: { "w.gguf": hash("a"), "sub/c.json": hash("b") },
};
const want = modelFiles.inputs.parse(inputs);
const nothingBefore = { last: want, before: () => undefined };

const host = (lines: readonly string[]) =>
  fakeHost({
    [keyOf(stampedFiles(lookedAt(want), Object.keys(want.files)).command)]: lines
      .map((line) => `${line}\n`)
      .join(""),
  });
const verified = [
  `file\tw.gguf\t5 1.0 7\t5 1.0 7 ${hash("a")}`,
  `file\tsub/c.json\t9 1.0 8\t9 1.0 8 ${hash("b")}`,
];
const longStep = (steps: Iterable<Step>) => {
  const all = [...steps].filter((step): step is LongStep => step.kind === "long");
  expect(all).toHaveLength(1);
  return all[0] as LongStep;
};

test("verified files are in sync; other generations are shown, not compared", async () => {
  const seen = await modelFiles.observe(
    host([...verified, "generation\t0123abc\t14", "generation\told\t12"]),
    want,
    want,
  );
  expect(compare(want, seen)).toEqual([]);
  expect(seen?.status).toEqual({ otherGenerations: { old: 12 }, unfinished: [] });
  expect(seen && [...modelFiles.apply(want, seen, nothingBefore)]).toEqual([]);
});

test("a changed file is found, and only it is fetched", async () => {
  const changed = [`file\tw.gguf\t4 2.0 7\t5 1.0 7 ${hash("a")}`, verified[1] ?? ""];
  const seen = await modelFiles.observe(host(changed), want, want);
  expect(compare(want, seen).map(({ path, text }) => [pathText(path), text])).toEqual([
    ['files["w.gguf"]', "was changed after it was verified (4 bytes)"],
  ]);
  const step = longStep(modelFiles.apply(want, seen, nothingBefore));
  expect(keyOf(step.script)).toContain("https://huggingface.co/org/model-GGUF/resolve/0123abc/w.gguf");
  expect(keyOf(step.script)).not.toContain("resolve/0123abc/sub/c.json");
});

test("a large file that was touched is told with how to look into it, and `up` hashes it", async () => {
  const touched = [`file\tw.gguf\t5 1.0 7 9.0\t5 1.0 7 8.0 ${hash("a")}\t\t`, verified[1] ?? ""];
  const seen = await modelFiles.observe(host(touched), want, want);
  expect(compare(want, seen).map(({ path, text }) => [pathText(path), text])).toEqual([
    [
      'files["w.gguf"]',
      "was touched after it was verified (5 bytes); `drift --deep` compares what it holds, `up` notes it",
    ],
  ]);
  expect(longStep(modelFiles.apply(want, seen, nothingBefore)).name).toContain("model-");
});

test("a deep look tells the hash that it found", async () => {
  const deep = fakeHost({
    [keyOf(stampedFiles(lookedAt(want), Object.keys(want.files), true).command)]:
      `file\tw.gguf\t5 1.0 7 8.0\t5 1.0 7 8.0 ${hash("a")}\t\t${hash("c")}\n${verified[1]}\n`,
  });
  const seen = await modelFiles.observe(deep, want, want, true);
  expect(compare(want, seen)).toEqual([
    { path: ["files", "w.gguf"], kind: "update", want: hash("a"), have: hash("c") },
  ]);
});

test("no file at all is absent", async () => {
  expect(
    await modelFiles.observe(host(["file\tw.gguf\t\t", "file\tsub/c.json\t\t"]), want, undefined),
  ).toBeUndefined();
});

test("what was begun is found, and goes with its resource; what is complete stays", async () => {
  const seen = await modelFiles.observe(host([verified[0] ?? "", "file\tsub/c.json\t\t\t4"]), want, want);
  expect(compare(want, seen).map(({ path, text }) => [pathText(path), text])).toEqual([
    ['files["sub/c.json"]', "is not fetched to the end (4 bytes)"],
  ]);
  // For the owners record nothing stood there.
  expect(seen?.originals).toEqual({ [`model ${modelFile(want, "sub/c.json")}`]: null });
  const steps = [...modelFiles.remove(seen ?? { config: {} }, nothingBefore)];
  const texts = steps.map((step) => (step.kind === "run" ? keyOf(step.command) : step.kind));
  expect(texts[0]).toContain(`systemctl stop '${lookedAt(want).units}.service'`);
  expect(texts[1]).toContain(`rm -f -- ${partialFolder(want)}/sub/c.json\n`);
  expect(texts).toHaveLength(2);
});

test("the token travels on stdin and another one does not begin the work anew", () => {
  const step = longStep(modelFiles.apply({ ...want, token: "hf_secret" }, undefined, nothingBefore));
  const other = longStep(modelFiles.apply({ ...want, token: "hf_other" }, undefined, nothingBefore));
  expect(step.stdin).toBe("hf_secret\n");
  expect(`${keyOf(step.script)}${JSON.stringify(step.key)}`).not.toContain("hf_secret");
  expect([other.key, other.name, other.script]).toEqual([step.key, step.name, step.script]);
});

test("two models, and two choices of files of one, have work of different names; two revisions do not", () => {
  const name = (more: object) =>
    longStep(modelFiles.apply({ ...want, ...more }, undefined, nothingBefore)).name;
  expect(name({ name: "a/b" })).not.toBe(name({ name: "a-b" }));
  expect(name({ name: "x".repeat(200) }).length).toBeLessThan(100);
  expect(name({ files: { "w.gguf": hash("a") } })).not.toBe(name({ files: { "v.gguf": hash("b") } }));
  expect(name({ revision: "4567def" })).toBe(name({}));
});

test("files outlive their resource unless they are to be purged, and what was there before stays anyway", () => {
  const have = { config: want };
  expect([...modelFiles.remove(have, nothingBefore)]).toEqual([]);
  const purge = { ...want, purge: true };
  const texts = (before: (item: string) => string | undefined) =>
    [...modelFiles.remove({ config: purge }, { last: purge, before })].map((step) =>
      step.kind === "run" ? keyOf(step.command) : "",
    );
  expect(texts(() => undefined).join()).toContain(modelFile(want, "w.gguf"));
  // As release 0.1.0 recorded what it found.
  const begun = texts((item) => (item.endsWith("w.gguf") ? "unfinished (3 bytes)" : undefined)).join();
  expect(begun).toContain("w.gguf");
  const left = texts((item) => (item.endsWith("w.gguf") ? "not verified (3 bytes)" : undefined)).join();
  expect(left).toContain("sub/c.json");
  expect(left).not.toContain("w.gguf");
});

test.each([
  [{ files: { "../etc/passwd": hash("a") } }, "files.../etc/passwd"],
  [{ files: { ".hidden": hash("a") } }, "files..hidden"],
  [{ files: {} }, "files"],
  [{ files: { x: "abc" } }, "files.x"],
  [{ name: "org/../x" }, "name"],
  [{ revision: "a/b" }, "revision"],
  [{ directory: "models" }, "directory"],
])("%j is refused", (more, path) => {
  const { error } = modelFiles.inputs.safeParse({ ...inputs, ...more });
  expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
});
