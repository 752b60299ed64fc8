import { expect, test } from "vitest";
import { downloaded } from "#facts/downloads.ts";
import { pathText } from "#inventory/problems.ts";
import { differ } from "#provider/adapter/differ.ts";
import type { Observation } from "#provider/contract/resource.ts";
import { type LongStep, type Step, shown } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { BUILDS, buildFolder, generationOf, recordFile, treeFolder } from "./places.ts";
import { sourceBuild } from "./source-build.ts";

const inputs = { name: "llama.cpp", source: "/src/0123", cmake: ["-DX=ON"], targets: ["server", "rpc"] };
const want = sourceBuild.inputs.parse(inputs);
const context = { last: want, before: () => undefined };
const generation = generationOf(want);

const observe = (...lines: string[]) => {
  const question = downloaded({
    folder: buildFolder(want),
    record: recordFile(want),
    unfinished: [treeFolder(want)],
    items: `build ${BUILDS}/llama.cpp/`,
  });
  const answer = lines.map((line) => `${line}\n`).join("");
  return sourceBuild.observe(fakeHost({ [keyOf(question.command)]: answer }), want, want);
};
const here = ["present", "record\tbuilt", "unfinished\t0", `generation\t${generation}\t14`];
const steps = (all: Iterable<Step>) => [...all];
const changes = (seen: Observation<typeof want> | undefined) =>
  compare(sourceBuild, want, seen?.config).map(({ path, have }) => `${pathText(path)}: ${have}`);

test("what was built is in sync; other builds are shown, not compared", async () => {
  const owner = `owner\t{"item":"build ${BUILDS}/llama.cpp/old","owners":[]}`;
  const seen = await observe(...here, "generation\told\t12", "generation\tolder\t9", owner);
  expect(changes(seen)).toEqual([]);
  expect(seen?.status).toEqual({
    placed: true,
    otherBuilds: { old: { bytes: 12, used: true }, older: { bytes: 9, used: false } },
  });
});

test("what was changed by hand is named, and built again", async () => {
  const seen = await observe(
    ...here,
    "differs\tf\t755\t0:0\t5 1.0 7\t\t./bin/server",
    "differs\t>f\t755\t0:0\t9 2.0 7\t\t./bin/server",
    "differs\tf\t755\t0:0\t5 1.0 8\t\t./bin/rpc",
    "differs\t>f\t644\t0:0\t1 3.0 9\t\t./notes",
  );
  expect(changes(seen)).toEqual([
    'content["bin/server"]: changed after it was built',
    'content["bin/rpc"]: missing',
    "content.notes: put there by hand",
  ]);
  expect(sourceBuild.items(seen?.config ?? {})).toEqual(sourceBuild.items(want));
  expect(steps(sourceBuild.apply(want, seen, context)).map(shown)).toEqual([
    `build server and rpc in ${buildFolder(want)} in the background`,
  ]);
});

test("a folder that somebody else put there is not taken for a build", async () => {
  expect(changes(await observe("present", "unfinished\t0"))).toEqual([
    'content["."]: not built by gpu-hosts',
  ]);
});

test("no build at all is absent; one that was begun is ours to take away", async () => {
  expect(await observe("unfinished\t0")).toBeUndefined();
  const begun = await observe("unfinished\t4096");
  expect(changes(begun)).toEqual(['content["."]: not built to the end']);
  expect(begun?.status).toMatchObject({ placed: false });
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
  const olds = { host: "rack1", inputs: want, applied: want };
  expect(differ(sourceBuild, olds, { host: "rack1", inputs: other })).toMatchObject(
    Object.keys(change).map((key) => ({ key, replaces: true })),
  );
  expect(sourceBuild.deleteBeforeReplace).toBe(false);
});

test("every flag reaches cmake as one word", () => {
  const flagged = { ...want, cmake: ["-DCMAKE_CUDA_ARCHITECTURES=86;89", "-DNAME=it's"] };
  const [step] = steps(sourceBuild.apply(flagged, undefined, context));
  expect(keyOf((step as LongStep).script)).toContain(
    String.raw`'-DCMAKE_CUDA_ARCHITECTURES=86;89' '-DNAME=it'\''s' || fail`,
  );
});

test.each<[string, Record<string, { used: boolean }>, string[], string[]]>([
  ["the last one takes all along", { old: { used: false } }, [generation, "old"], []],
  [
    "a replaced one stays, older ones go",
    { new: { used: true }, old: { used: false } },
    ["old"],
    [generation, "new"],
  ],
])("a build that leaves: %s", (_what, otherBuilds, gone, stay) => {
  const removed = steps(sourceBuild.remove({ config: want, status: { placed: true, otherBuilds } }, context));
  const text = removed.map((step) => (step.kind === "run" ? keyOf(step.command) : "")).join("\n");
  for (const name of gone) expect(text).toContain(`${BUILDS}/llama.cpp/${name}`);
  for (const name of stay) expect(text).not.toContain(`${BUILDS}/llama.cpp/${name}`);
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
