import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { downloaded } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { pathText } from "#inventory/problems.ts";
import { differ } from "#provider/adapter/differ.ts";
import type { Observation } from "#provider/contract/resource.ts";
import { type LongStep, type Step, shown } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { buildFolder, buildsFolder, generationOf, recordFile, treeFolder } from "./places.ts";
import { sourceBuild } from "./source-build.ts";

const inputs = { name: "llama.cpp", source: "/src/0123", cmake: ["-DX=ON"], targets: ["server", "rpc"] };
const want = sourceBuild.inputs.parse(inputs);
const context = { last: want, before: () => undefined };
const generation = generationOf(want);

const asLines = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

const observe = (...lines: string[]) => {
  const { command } = downloaded({
    folder: buildFolder(want),
    record: recordFile(want),
    unfinished: [treeFolder(want)],
  });
  const owned = lines.filter((line) => line.startsWith("{"));
  const host = fakeHost({
    [keyOf(command)]: asLines(lines.filter((line) => !owned.includes(line))),
    [keyOf(ownedItems(`build ${buildsFolder}/llama.cpp/`).command)]: asLines(owned),
  });
  return sourceBuild.observe(host, want, want);
};
const here = ["present", "record\tbuilt", "unfinished\t0", `generation\t${generation}\t14`];
const steps = (all: Iterable<Step>) => [...all];
const changes = (seen: Observation<typeof want> | undefined) =>
  compare(want, seen).map(({ path, text, have }) => `${pathText(path)}: ${text ?? have}`);

test("what was built is in sync; other builds are shown, not compared", async () => {
  const owner = `{"item":"build ${buildsFolder}/llama.cpp/old","owners":[]}`;
  const seen = await observe(...here, "generation\told\t12", "generation\tolder\t9", owner);
  expect(changes(seen)).toEqual([]);
  expect(seen?.status).toEqual({
    placed: true,
    otherGenerations: { old: { bytes: 12, used: true }, older: { bytes: 9, used: false } },
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
    'content["bin/server"]: was changed after it was built',
    'content["bin/rpc"]: is missing',
    "content.notes: was put there by hand",
  ]);
  expect(sourceBuild.items(seen?.config ?? {})).toEqual(sourceBuild.items(want));
  expect(steps(sourceBuild.apply(want, seen, context)).map(shown)).toEqual([
    `build server and rpc in ${buildFolder(want)} in the background`,
  ]);
});

test("a folder that somebody else put there is not taken for a build", async () => {
  expect(changes(await observe("present", "unfinished\t0"))).toEqual([
    'content["."]: was not built by gpu-hosts',
  ]);
});

test("no build at all is absent; one that was begun is ours to take away", async () => {
  expect(await observe("unfinished\t0")).toBeUndefined();
  const begun = await observe("unfinished\t4096");
  expect(changes(begun)).toEqual(['content["."]: was not built to the end']);
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

test("every flag reaches cmake as one word, and every target", () => {
  const folder = mkdtempSync(join(tmpdir(), "build-"));
  try {
    const cmake = join(folder, "cmake");
    writeFileSync(cmake, `#!/bin/sh\nprintf '%s\\n' "$@"\n`, { mode: 0o755 });
    writeFileSync(join(folder, "CMakeLists.txt"), "");
    const cmakeFlags = ["-DCMAKE_CUDA_ARCHITECTURES=86;89", "-DNAME=it's", "-DTWO=a b"];
    const build = { ...want, source: folder, cmake: cmakeFlags, path: [folder], directory: folder };
    const [step] = steps(sourceBuild.apply(build, undefined, context));
    const { stdout, stderr } = spawnSync("sh", ["-c", keyOf((step as LongStep).script)], {
      encoding: "utf8",
    });
    const words = stdout.split("\n");
    for (const flag of cmakeFlags) expect(words).toContain(flag);
    expect(words.slice(words.indexOf("--target"))).toEqual(["--target", "server", "rpc", ""]);
    expect(stderr).toBe("the target server was built, but no program of that name came of it\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each<[string, Record<string, { bytes: number; used: boolean }>, string[], string[]]>([
  ["the last one takes all along", { old: { bytes: 1, used: false } }, [generation, "old"], []],
  [
    "a replaced one stays, older ones go",
    { new: { bytes: 1, used: true }, old: { bytes: 1, used: false } },
    ["old"],
    [generation, "new"],
  ],
])("a build that leaves: %s", (_what, otherGenerations, gone, stay) => {
  const removed = steps(
    sourceBuild.remove({ config: want, status: { placed: true, otherGenerations } }, context),
  );
  const text = removed.map((step) => (step.kind === "run" ? keyOf(step.command) : "")).join("\n");
  for (const name of gone) expect(text).toContain(`${buildsFolder}/llama.cpp/${name}`);
  for (const name of stay) expect(text).not.toContain(`${buildsFolder}/llama.cpp/${name}`);
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
