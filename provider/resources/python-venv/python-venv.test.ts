import { expect, test } from "vitest";
import { downloaded } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { pythonVersion } from "#facts/python.ts";
import { pathText } from "#inventory/problems.ts";
import type { LongStep } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { stepText } from "#tests/support/step-text.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { generationOf, recordFile, stagingFolder, venvFolder, venvsFolder } from "./places.ts";
import { pythonVenv } from "./python-venv.ts";

const hash = "0123456789abcdef".repeat(4);
const inputs = { name: "tool", uv: "/d/uv.whl", python: "3.12", lock: `six==1.17.0 --hash=sha256:${hash}\n` };
const want = pythonVenv.inputs.parse(inputs);
const context = { last: want, before: () => undefined };
const generation = generationOf(want);

const observe = (lines: readonly string[], python = "python 3.12.3") => {
  const { command } = downloaded({
    folder: venvFolder(want),
    record: recordFile(want),
    unfinished: [stagingFolder(want)],
  });
  return pythonVenv.observe(
    fakeHost({
      [keyOf(command)]: lines.map((line) => `${line}\n`).join(""),
      [keyOf(ownedItems(`venv ${venvsFolder}/tool/`).command)]: "",
      [keyOf(pythonVersion(`${venvFolder(want)}/bin/python`).command)]: `${python}\n`,
    }),
    want,
    want,
  );
};
const here = ["present", "record\tinstalled", "unfinished\t0", `generation\t${generation}\t14`];
const changes = async (...answer: Parameters<typeof observe>) =>
  compare(want, await observe(...answer)).map(({ path, text }) => `${pathText(path)}: ${text}`);

test("as it was installed it is in sync, and its Python is shown", async () => {
  expect(await changes(here)).toEqual([]);
  expect((await observe(here))?.status).toMatchObject({ placed: true, python: "3.12.3" });
});

test("a file that was changed, a Python that is gone, an installation that broke off", async () => {
  const changed = [
    "differs\tf\t644\t0:0\t5 1.0 7\t\t./lib/six.py",
    "differs\t>f\t644\t0:0\t9 2.0 7\t\t./lib/six.py",
  ];
  expect(await changes([...here, ...changed])).toEqual([
    'content["lib/six.py"]: was changed after it was installed',
  ]);
  expect(await changes(here, "none")).toEqual([
    'content["bin/python"]: does not run: the Python that it was made with is gone',
  ]);
  expect(await changes(["unfinished\t500"], "none")).toEqual(['content["."]: was not installed to the end']);
  expect(await changes(["present", "unfinished\t0"])).toEqual([
    'content["."]: was not installed by gpu-hosts',
  ]);
  expect(await observe(["unfinished\t0"], "none")).toBeUndefined();
});

test("another lock or Python is another environment; another index or uv is not", () => {
  const lock = `six==1.16.0 --hash=sha256:${hash}\n`;
  for (const change of [{ lock }, { python: "3.11" }])
    expect(venvFolder({ ...want, ...change })).not.toBe(venvFolder(want));
  expect(venvFolder({ ...want, ...{ uv: "/d/other.whl", indexes: ["http://x.lan"] } })).toBe(
    venvFolder(want),
  );
});

test("the lock travels on stdin, and the indexes are named", () => {
  const [step] = [...pythonVenv.apply(want, undefined, context)] as LongStep[];
  expect(step?.stdin).toBe(inputs.lock);
  expect(JSON.stringify(step?.script)).toContain("--index-url https://pypi.org/simple");
});

test("beside one in use it stays as the previous; the last one takes cache and interpreters along", () => {
  const removal = (used: boolean) => {
    const status = { placed: true, python: null, otherGenerations: { bbb: { bytes: 1, used } } };
    return [...pythonVenv.remove({ config: want, status }, context)].map(stepText).join("\n");
  };
  expect(removal(true)).toBe("");
  for (const what of [`tool/${generation}`, "tool/bbb", ".cache/tool", ".pythons/tool"])
    expect(removal(false)).toContain(`${venvsFolder}/${what}`);
});

const ok = `--hash=sha256:${hash}`;
test.each<[string, RegExp | undefined]>([
  [`six==1.17.0 \\\n    ${ok} \\\n    ${ok}\n    # via x\n`, undefined],
  [`# by uv\nA.b-c[extra,other]==1.0+cu129 ; python_version < '3.13' ${ok}\n`, undefined],
  [`vllm @ https://x.test/vllm-1.whl ${ok}`, undefined],
  ["", /holds no package/],
  ["six==1.17.0\n", /has no hash of six==1\.17\.0/],
  [`six>=1.17 ${ok}`, /must name one version/],
  [`six ${ok}`, /must name one version/],
  [`six==1.* ${ok}`, /must name one version/],
  [`--index-url https://x.test\nsix==1.17.0 ${ok}`, /holds an option/],
  [`-e . ${ok}`, /holds an option/],
  [`six==1.17.0 --hash=md5:abc`, /no SHA-256/],
])("the lock %j", (lock, expected) => {
  const message = pythonVenv.inputs.safeParse({ ...inputs, lock }).error?.issues[0]?.message;
  if (expected === undefined) expect(message).toBeUndefined();
  else expect(message).toMatch(expected);
});
