import { expect, test } from "vitest";
import { hosts } from "#inventory/inventory.ts";
import type { Witness } from "#provider/contract/witness.ts";
import { keyOf, sh } from "#transport/command.ts";
import { HostError } from "#transport/errors.ts";
import { fakeHost } from "#transport/fake.ts";
import type { Machine, Reach } from "#transport/host.ts";
import { read } from "./read.ts";
import type { Runtime } from "./runtime.ts";
import { check, create, diff, update } from "./verbs.ts";
import { askWitness } from "./witness.ts";

const urn = "urn:pulumi:test::gpu-hosts::gpuhost:index:Files::it";
const witness: Witness = { host: "rack1", argv: ["/usr/local/lib/members", "it's wanted"] };
const command = sh`[ -x /usr/local/lib/members ] || exit 127; /usr/local/lib/members ${"it's wanted"}`;
const at = (witness: Witness) => ({ urn, host: "rack2", witness });

type Answer = Parameters<typeof fakeHost>[0][string];
const reachable = (answer: Answer): Reach => ({
  state: "reachable",
  host: { ...fakeHost({ [keyOf(command)]: answer }), name: "rack1", target: "root@10.0.0.11" } as Machine,
});
const unreachable = (name: string): Reach => ({
  state: "unreachable",
  error: new HostError(
    { name, target: `root@${name}` },
    "unreachable",
    "no SSH login\nsecond line",
    "a hint",
  ),
});

function runtime(reaches: Record<string, Reach>, signal = new AbortController().signal): Runtime {
  const entry = { platform: "linux", address: "10.0.0.11" };
  return {
    inventory: { hosts: hosts.parse({ rack1: entry, rack2: entry }), credentials: {} },
    refreshBeforeUpdate: false,
    signal,
    operator: "ops@desk",
    holder: "test",
    reach: async (name) => reaches[name] ?? expect.fail(`${name} was asked`),
    log: async () => undefined,
    approachAll: () => undefined,
    warnOfHost: async () => undefined,
    writePlan: () => undefined,
    close: () => undefined,
  };
}

const message = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => expect.fail("should have failed"),
    (error: Error) => error.message,
  );
const testimony = (rack1: Reach) => askWitness(runtime({ rack1 }), at(witness));

test("what the witness sees follows the error", async () => {
  expect(await testimony(reachable("a title\n1 rack2 down\n"))).toBe(
    ["", "  as rack1 (root@10.0.0.11) sees it:", "    a title", "    1 rack2 down"].join("\n"),
  );
});

test.each<[string, Reach, string]>([
  ["does not answer", unreachable("rack1"), "  rack1 could not be asked about it: no SSH login"],
  [
    "has no such program yet, as in a first run",
    reachable({ exitCode: 127 }),
    "  rack1 was not asked about it: it has no /usr/local/lib/members yet",
  ],
  [
    "is a place that is not there yet",
    { state: "absent", reason: "no such distro" },
    "  rack1 could not be asked about it: no such distro",
  ],
])("a witness that %s is told in one line", async (_what, reach, line) => {
  expect((await testimony(reach)).split("\n").slice(1)).toEqual([line]);
});

test("a program that fails is shown with what it said and its exit code", async () => {
  expect(await testimony(reachable({ exitCode: 2, stderr: "no group\n" }))).toMatch(
    /\n {4}no group\n {2}\/usr\/local\/lib\/members ended with exit code 2$/,
  );
});

test("a host that does not answer is not told of twice where it is its own witness", async () => {
  const itself = { ...at(witness), host: "rack1" };
  expect(await askWitness(runtime({ rack1: unreachable("rack1") }), itself)).toBe("");
});

test("after Ctrl-C nobody is asked", async () => {
  expect(await askWitness(runtime({}, AbortSignal.abort()), at(witness))).toBe("");
});

const secret = {
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value: "hunter2-hunter2",
};
const inputs = { host: "rack2", witness, files: { "/k": { content: secret } } };

test("a host that does not answer is told with what its witness sees, secrets masked", async () => {
  const both = runtime({ rack1: reachable("it runs with hunter2-hunter2"), rack2: unreachable("rack2") });
  const state = { id: "rack2:/k", properties: { host: "rack2", files: {} } };
  const attempts = [() => create(both, urn, inputs, false), () => update(both, urn, state, inputs, false)];
  for (const attempt of attempts) {
    const text = await message(attempt());
    expect(text).toMatch(/^rack2 \(root@rack2\), Files it: no SSH login/);
    expect(text).toMatch(/\n {2}as rack1 \(root@10\.0\.0\.11\) sees it:\n {4}it runs with \[secret\]$/);
  }
});

test("a preview asks no witness", async () => {
  await create(runtime({ rack2: unreachable("rack2") }), urn, inputs, true);
});

test("the witness is checked like a host, and is no input of the resource", () => {
  const checked = (witness: unknown) => check(runtime({}), urn, { ...inputs, witness });
  expect(checked(witness)).toMatchObject({ inputs: { host: "rack2", witness }, failures: [] });
  expect(checked(undefined).failures).toEqual([]);
  const failures = (witness: unknown) => checked(witness).failures.map((f) => `${f.property}: ${f.reason}`);
  expect(failures({ ...witness, host: "rack9" })).toEqual([
    'witness.host: "rack9" is not in gpuhost:hosts, which has rack1, rack2',
  ]);
  expect(failures({ ...witness, host: "constructor" })).toEqual([
    'witness.host: "constructor" is not in gpuhost:hosts, which has rack1, rack2',
  ]);
  expect(failures({ host: "rack1", argv: ["members"] })).toEqual([
    "witness.argv[0]: must be an absolute path",
  ]);
});

test("another witness is no difference, also not beside one", () => {
  const { inputs: old } = check(runtime({}), urn, inputs) as { inputs: Record<string, unknown> };
  const other = { ...old, witness: { ...witness, argv: ["/usr/bin/true"] } };
  const { witness: _, ...none } = old;
  const properties = { ...none, applied: { files: old.files } };
  for (const news of [other, none]) {
    expect(diff(urn, old, properties, news)).toEqual([]);
    expect(diff(urn, none, properties, news)).toEqual([]);
  }
  const changed = { ...other, files: { "/k": { content: "new", mode: "0644", owner: "root:root" } } };
  expect(diff(urn, old, properties, changed).map(({ key }) => key)).toEqual(['files["/k"].content']);
});

test("a read keeps the witness in the inputs, so that a refresh shows no change of it", async () => {
  const state = { id: "rack2:/k", inputs, properties: { host: "rack2", files: inputs.files } };
  const gone = runtime({ rack2: { state: "absent", reason: "no such distro" } });
  const seen = await read(gone, urn, state);
  expect(seen?.inputs).toEqual({ host: "rack2", witness });
  expect(seen?.properties).not.toHaveProperty("witness");
});
