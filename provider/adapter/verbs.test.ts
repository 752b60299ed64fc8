import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { hosts } from "#inventory/inventory.ts";
import { type AnyDefinition, defineResource, findingAt } from "#provider/contract/resource.ts";
import { run } from "#provider/contract/step.ts";
import { definitions } from "#provider/resources/index.ts";
import { sh, shownCommand } from "#transport/command.ts";
import type { Machine, Reach, System } from "#transport/host.ts";
import { read } from "./read.ts";
import type { Runtime } from "./runtime.ts";
import { check, create, diff, update } from "./verbs.ts";
import { InitFailed } from "./wire.ts";

/** What stands on the machine of these tests. */
let there: { text: string; crooked: boolean } | undefined;
let failing: boolean;

/** A resource with one input, and with something that can be wrong beside it. */
const picture = defineResource({
  type: "Picture",
  version: 1,
  inputs: z.strictObject({ text: z.string() }),
  identity: [],
  id: () => "picture",
  fromId: () => ({ text: "" }),
  items: () => [],
  async observe() {
    if (!there) return undefined;
    const { text, crooked } = there;
    return {
      config: { text },
      findings: crooked ? [{ path: ["frame"], text: "hangs crooked, beside hunter2" }] : [],
      status: { crooked },
    };
  },
  *apply(want, have) {
    if (have?.config.text !== want.text) yield run(sh`paint ${want.text}`);
    if (findingAt(have, "frame")) yield run(sh`straighten`);
  },
  *remove() {},
});

const registry = defineResource({ ...picture, type: "Registry", on: "windows" });

// Beside those of the provider, for this file alone.
const all = definitions as Map<string, AnyDefinition>;
for (const definition of [picture, registry]) all.set(definition.type, definition);

const machine = {
  name: "rack1",
  system: "linux",
  target: "root@rack1",
  gate: { step: (_, work) => work(), inTurn: (_, work) => work(), alone: (work) => work() },
  lock: async () => undefined,
  watch: () => () => undefined,
  async run(command) {
    const text = shownCommand(command);
    if (failing) return { exitCode: 1, stdout: "", stderr: "no paint\n" };
    if (text.startsWith("paint")) there = { crooked: false, ...there, text: text.slice("paint ".length) };
    if (text === "straighten" && there) there = { ...there, crooked: false };
    return { exitCode: 0, stdout: "", stderr: "" };
  },
} satisfies Partial<Machine> as Partial<Machine> as Machine;

const asked: (System | undefined)[] = [];
const runtime: Runtime = {
  inventory: {
    hosts: hosts.parse({ rack1: { platform: "linux", address: "10.0.0.11" } }),
    credentials: {},
  },
  refreshBeforeUpdate: false,
  signal: new AbortController().signal,
  operator: "ops@desk",
  holder: "test",
  async reach(name, { on }): Promise<Reach> {
    asked.push(on);
    return name === "rack1" ? { state: "reachable", host: machine } : expect.fail(`${name} was asked`);
  },
  log: async () => undefined,
  approachAll: () => undefined,
  warnOfHost: async () => undefined,
  writePlan: () => undefined,
  close: () => undefined,
};

const urnOf = (type: string) => `urn:pulumi:test::gpu-hosts::gpuhost:index:${type}::it`;
const urn = urnOf("Picture");
const inputs = { host: "rack1", text: "sea" };

beforeEach(() => {
  there = undefined;
  failing = false;
  asked.length = 0;
});

/** The keys of a diff against the program, as the engine asks for it. */
const changedKeys = (state: { inputs: unknown; properties: unknown }) =>
  diff(urn, state.inputs, state.properties, inputs).map(({ key, kind, input, replaces }) => {
    return { key, kind, input, replaces };
  });

test("a finding is read into the state, is an update until it is repaired, and is gone then", async () => {
  const made = await create(runtime, urn, inputs, false);
  expect(made.properties).not.toHaveProperty("findings");
  expect(changedKeys(made)).toEqual([]);

  there = { text: "sea", crooked: true };
  const refreshed = await read(runtime, urn, made);
  expect(refreshed?.inputs).toEqual(inputs);
  expect(refreshed?.properties).toMatchObject({
    text: "sea",
    applied: { text: "sea" },
    findings: { frame: "hangs crooked, beside hunter2" },
  });
  const wrong = refreshed ?? expect.fail();
  const changes = [{ key: "findings.frame", kind: "delete", input: "findings", replaces: false }];
  expect(changedKeys(wrong)).toEqual(changes);
  // A second refresh keeps it in sight.
  expect(changedKeys((await read(runtime, urn, wrong)) ?? expect.fail())).toEqual(changes);

  const repaired = await update(runtime, urn, wrong, inputs, false);
  expect(there).toEqual({ text: "sea", crooked: false });
  expect(repaired.properties).not.toHaveProperty("findings");
  expect(changedKeys(repaired)).toEqual([]);
});

test("a finding in the state says nothing of what is wrong with a secret in it", async () => {
  const marked = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    value: "hunter2",
  };
  there = { text: "hunter2", crooked: true };
  const state = {
    id: "rack1:picture",
    inputs: { ...inputs, text: marked },
    properties: { host: "rack1", text: marked },
  };
  const seen = await read(runtime, urn, state);
  expect(seen?.properties).toMatchObject({ findings: { frame: "hangs crooked, beside [secret]" } });
});

test("an update does not succeed while a finding is left", async () => {
  there = { text: "sea", crooked: true };
  const stubborn = { ...machine, run: async () => ({ exitCode: 0, stdout: "", stderr: "" }) } as Machine;
  const state = { id: "rack1:picture", properties: { ...inputs, applied: { text: "sea" } } };
  const unmoved = { ...runtime, reach: async (): Promise<Reach> => ({ state: "reachable", host: stubborn }) };
  await expect(update(unmoved, urn, state, inputs, false)).rejects.toThrow(
    "all steps went through, yet the host still differs:\n  frame: hangs crooked, beside hunter2",
  );
});

test("an import takes over what is there, with what is wrong about it", async () => {
  there = { text: "sea", crooked: true };
  const state = { id: "rack1:picture", inputs: {}, properties: {} };
  expect(await read(runtime, urn, state)).toMatchObject({
    inputs,
    properties: { applied: { text: "sea" }, findings: { frame: expect.any(String) } },
  });
  there = undefined;
  expect(await read(runtime, urn, state)).toBeUndefined();
});

test("success asks no witness; after a failure the state is unhealthy and the error says what it sees", async () => {
  const witness = { host: "rack1", argv: ["/bin/look"] };
  const watched = { ...inputs, witness };
  await create(runtime, urn, watched, false);
  expect(asked).toHaveLength(1);
  there = undefined;
  failing = true;
  const error = await create(runtime, urn, watched, false).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(InitFailed);
  expect((error as InitFailed).message).toMatch(
    /^rack1 \(root@rack1\), Picture it: paint sea failed[\s\S]*\n {2}as rack1 \(root@rack1\) sees it:\n/,
  );
  expect(asked).toHaveLength(3);
});

test("a resource for another system than its host runs is refused at check", () => {
  expect(check(runtime, urn, inputs).failures).toEqual([]);
  expect(check(runtime, urnOf("Registry"), inputs).failures).toEqual([
    { property: "host", reason: "Registry acts on Windows; rack1 is a linux machine" },
  ]);
});

test("a host is reached on the system that the resource acts on", async () => {
  const state = { id: "rack1:picture", inputs, properties: inputs };
  await create(runtime, urnOf("Registry"), inputs, false);
  await read(runtime, urnOf("Registry"), state);
  await read(runtime, urn, state);
  expect(asked).toEqual(["windows", "windows", undefined]);
});
