import { expect, test } from "vitest";
import { stampedFiles } from "#facts/model-files.ts";
import { compare, pathText } from "#provider/compare.ts";
import type { LongStep, Step } from "#provider/step.ts";
import { fakeHost } from "#transport/fake.ts";
import { buildFolder, stampsFolder } from "./places.ts";
import { sourceBuild } from "./source-build.ts";

const inputs = { name: "llama.cpp", source: "/src/0123", cmake: ["-DX=ON"], targets: ["server", "rpc"] };
const want = sourceBuild.inputs.parse(inputs);
const nothingBefore = { last: want, before: () => undefined };
const hash = "a".repeat(64);

const host = (lines: readonly string[]) =>
  fakeHost({
    [stampedFiles(buildFolder(want), stampsFolder(want), ["bin/server", "bin/rpc"]).command.text]: lines
      .map((line) => `${line}\n`)
      .join(""),
  });
const built = [`file\tbin/server\t5 1.0 7\t5 1.0 7 ${hash}`, `file\tbin/rpc\t9 1.0 8\t9 1.0 8 ${hash}`];
const steps = (all: Iterable<Step>) => [...all];

test("what was built is in sync; other builds are shown, not compared", async () => {
  const here = buildFolder(want).split("/").at(-1);
  const seen = await sourceBuild.observe(
    host([...built, `generation\t${here}\t14`, "generation\told\t12"]),
    want,
    want,
  );
  expect(compare(sourceBuild, want, seen?.config)).toEqual([]);
  expect(seen?.status).toEqual({ otherBuilds: { old: 12 } });
  expect(seen && steps(sourceBuild.apply(want, seen, nothingBefore))).toEqual([]);
});

test("a program that was changed by hand is named, and built again", async () => {
  const seen = await sourceBuild.observe(
    host([`file\tbin/server\t4 2.0 7\t5 1.0 7 ${hash}`, built[1] ?? ""]),
    want,
    want,
  );
  expect(compare(sourceBuild, want, seen?.config).map(({ path, have }) => [pathText(path), have])).toEqual([
    ["targets", ["server (changed after it was built)", "rpc"]],
  ]);
  expect(sourceBuild.items(seen?.config ?? {})).toEqual(sourceBuild.items(want));
  const [step, ...others] = steps(sourceBuild.apply(want, seen, nothingBefore));
  expect(others).toEqual([]);
  expect(step).toMatchObject({ kind: "long", name: "build-llama.cpp" });
});

test("no program at all is absent", async () => {
  const lines = ["file\tbin/server\t\t", "file\tbin/rpc\t\t"];
  expect(await sourceBuild.observe(host(lines), want, undefined)).toBeUndefined();
});

test.each([
  ["source", { source: "/src/4567" }],
  ["flag", { cmake: ["-DX=OFF"] }],
  ["target", { targets: ["server"] }],
  ["compiler", { path: ["/usr/local/cuda/bin"] }],
])("another %s is another build, beside the old one", (_what, change) => {
  const other = { ...want, ...change };
  expect(buildFolder(other)).toMatch(/^\/var\/lib\/gpu-hosts\/builds\/llama\.cpp\/[0-9a-f]{12}$/);
  expect(buildFolder(other)).not.toBe(buildFolder(want));
  for (const key of Object.keys(change)) expect(sourceBuild.identity).toContain(key);
  expect(sourceBuild.deleteBeforeReplace).toBe(false);
});

test("every flag reaches cmake as one word", () => {
  const flagged = { ...want, cmake: ["-DCMAKE_CUDA_ARCHITECTURES=86;89", "-DNAME=it's"] };
  const [step] = steps(sourceBuild.apply(flagged, undefined, nothingBefore));
  expect((step as LongStep).script.text).toContain(
    String.raw`'-DCMAKE_CUDA_ARCHITECTURES=86;89' '-DNAME=it'\''s' || fail`,
  );
});

test("builds outlive their resource unless they are to be purged, and what was there before stays anyway", () => {
  const have = { config: want };
  expect(steps(sourceBuild.remove(have, nothingBefore))).toEqual([]);
  const purge = { ...want, purge: true };
  const texts = (before: unknown) =>
    steps(sourceBuild.remove({ config: purge }, { last: purge, before: () => before as never })).map(
      (step) => (step.kind === "run" ? step.command.text : ""),
    );
  expect(texts(undefined).join()).toContain(buildFolder(want));
  expect(texts(["server (not built by us)"])).toEqual([]);
});

test.each([
  [{ source: "src" }, "source"],
  [{ cmake: ["ON"] }, "cmake.0"],
  [{ targets: [] }, "targets"],
  [{ targets: ["../x"] }, "targets.0"],
])("%j is refused", (change, path) => {
  const { error } = sourceBuild.inputs.safeParse({ ...inputs, ...change });
  expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
});
