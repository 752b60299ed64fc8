import { expect, test } from "vitest";
import { z } from "zod";
import { defineResource } from "#provider/contract/resource.ts";
import { fakeHost } from "#transport/fake.ts";
import type { Machine, Reach } from "#transport/host.ts";
import { deployedResources } from "./deployed.ts";
import { drift } from "./drift.ts";
import { asJson, asJunit, asMarkdown, asText } from "./report.ts";
import { exitCode } from "./result.ts";
import { unmadeResources } from "./unmade.ts";

const note = defineResource({
  type: "Note",
  version: 1,
  inputs: z.strictObject({ path: z.string(), text: z.string() }),
  identity: ["path"],
  id: ({ path }) => path,
  items: () => [],
  async observe(host, { path }) {
    const text = await host.readFile(path);
    if (!text) return undefined;
    const settling = (await host.readFile(`${path}.settling`))?.toString();
    const crooked = (await host.readFile(`${path}.crooked`)) !== undefined;
    const findings = crooked ? [{ path: ["frame"], text: "hangs crooked, says sk-wanted-1" }] : [];
    return { config: { path, text: text.toString() }, findings, settling };
  },
  apply: () => [],
  remove: () => [],
});
const definitions = new Map([["Note", note]]);

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});

function state(host: string, name: string, text: unknown, more: object = {}) {
  const config = { host, path: `/etc/${name}`, text };
  return {
    urn: `urn:pulumi:lab::gpu-hosts::gpuhost:index:Note::${name}`,
    custom: true,
    id: `${host}:/etc/${name}`,
    type: "gpuhost:index:Note",
    inputs: config,
    outputs: { ...config, applied: { path: `/etc/${name}`, text }, status: {}, schemaVersion: 1 },
    ...more,
  };
}

const reachable = (files: Record<string, string>): Reach => ({
  state: "reachable",
  host: fakeHost({}, files) as Machine,
});
const silent: Reach = { state: "unreachable", error: new Error("rack2 (ops@rack2): no answer\n  is it on?") };

async function look(resources: object[], hosts: Record<string, Reach>, pending_operations: object[] = []) {
  const exported = { deployment: { resources, pending_operations } };
  const looked = await drift(deployedResources(exported, definitions), async (host) => hosts[host] ?? silent);
  const results = [...looked, ...unmadeResources(exported)];
  return { results, exit: exitCode({ command: "drift", stack: "lab", results }) };
}

test("a host that is as it was left is in sync", async () => {
  const { results, exit } = await look([state("rack1", "motd", "hello")], {
    rack1: reachable({ "/etc/motd": "hello" }),
  });
  expect(results).toMatchObject([
    { host: "rack1", name: "motd", type: "Note", label: "in sync", details: [] },
  ]);
  expect(exit).toBe(0);
});

test("a change by hand is told with what is wanted and what is there", async () => {
  const { results, exit } = await look([state("rack1", "motd", "hello")], {
    rack1: reachable({ "/etc/motd": "bye" }),
  });
  expect(results).toMatchObject([
    {
      label: "drifted",
      details: ["text is bye, should be hello"],
      changes: [{ path: "text", kind: "update", want: "hello", have: "bye" }],
    },
  ]);
  expect(exit).toBe(2);
});

test("a finding is drift, told as its sentence in every form, secrets masked", async () => {
  const { results, exit } = await look([state("rack1", "motd", secret("sk-wanted-1"))], {
    rack1: reachable({ "/etc/motd": "sk-wanted-1", "/etc/motd.crooked": "" }),
  });
  expect(exit).toBe(2);
  const sentence = "frame: hangs crooked, says [secret]";
  expect(results).toMatchObject([
    {
      label: "drifted",
      details: [sentence],
      changes: [{ path: "frame", kind: "finding", text: "hangs crooked, says [secret]" }],
    },
  ]);
  const report = { command: "drift", stack: "lab", results } as const;
  for (const write of [asText, asJunit, asMarkdown]) expect(write(report)).toContain(sentence);
  expect(JSON.parse(asJson(report)).results[0].changes[0]).toEqual({
    path: "frame",
    kind: "finding",
    text: "hangs crooked, says [secret]",
  });
});

test("it is compared with what was applied, so that a refresh does not launder a change", async () => {
  const refreshed = state("rack1", "motd", "hello");
  const seen = { host: "rack1", path: "/etc/motd", text: "bye" };
  const resource = { ...refreshed, inputs: seen, outputs: { ...refreshed.outputs, ...seen } };
  const { exit } = await look([resource], { rack1: reachable({ "/etc/motd": "bye" }) });
  expect(exit).toBe(2);
});

test("what is gone altogether is said in one line", async () => {
  const { results } = await look([state("rack1", "motd", "hello")], { rack1: reachable({}) });
  expect(results).toMatchObject([{ label: "drifted", details: ["nothing of it is there any more"] }]);
});

test("a secret is never shown, neither the wanted nor another that is there", async () => {
  const { results, exit } = await look([state("rack1", "key", secret("sk-wanted-1"))], {
    rack1: reachable({ "/etc/key": "sk-other-2" }),
  });
  expect(exit).toBe(2);
  expect(JSON.stringify(results)).not.toMatch(/sk-/);
  expect(results).toMatchObject([
    { details: ["text differs (secret)"], changes: [{ path: "text", want: "[secret]", have: "[secret]" }] },
  ]);
});

test("a host that cannot be reached does not hold up the others, and outranks drift in the exit code", async () => {
  const { results, exit } = await look([state("rack1", "motd", "hello"), state("rack2", "motd", "hello")], {
    rack1: reachable({ "/etc/motd": "bye" }),
  });
  expect(results).toMatchObject([
    { host: "rack1", label: "drifted" },
    { host: "rack2", label: "could not look", details: ["rack2 (ops@rack2): no answer", "  is it on?"] },
  ]);
  expect(exit).toBe(3);
});

test("a question that fails on the host is no drift", async () => {
  const broken = {
    ...fakeHost({}),
    readFile: () => Promise.reject(new Error("read error")),
  } as unknown as Machine;
  const { results } = await look([state("rack1", "motd", "hello")], {
    rack1: { state: "reachable", host: broken },
  });
  expect(results).toMatchObject([{ label: "could not look", details: ["read error"] }]);
});

test("a resource that was never finished is drifted and says why", async () => {
  const unfinished = state("rack1", "motd", "hello", { outputs: {}, initErrors: ["disk full"] });
  const { results } = await look([unfinished], { rack1: reachable({}) });
  expect(results).toMatchObject([
    {
      label: "drifted",
      details: [expect.stringContaining("never"), "the last run left it unfinished: disk full"],
    },
  ]);
});

test("what an earlier run left unfinished is not in sync, though nothing differs", async () => {
  const unfinished = state("rack1", "motd", "hello", { initErrors: ["gave up waiting"] });
  const { results, exit } = await look([unfinished], { rack1: reachable({ "/etc/motd": "hello" }) });
  expect(results).toMatchObject([
    { label: "unfinished", details: ["the last run left it unfinished: gave up waiting"] },
  ]);
  expect(asText({ command: "drift", stack: "lab", results })).not.toContain("✓");
  expect(exit).toBe(2);
});

test("what a run was at when it was killed is not in sync", async () => {
  const motd = state("rack1", "motd", "hello");
  const { results, exit } = await look([motd], { rack1: reachable({ "/etc/motd": "hello" }) }, [
    { type: "updating", resource: motd },
    { type: "creating", resource: state("rack1", "key", "x", { outputs: undefined, id: undefined }) },
  ]);
  expect(results).toMatchObject([
    { name: "motd", label: "unfinished", details: [expect.stringContaining("killed while updating it")] },
    { host: "rack1", name: "key", type: "Note", label: "never made" },
  ]);
  expect(exit).toBe(2);
});

test("what a component declared and the state has not was never made", async () => {
  const component = {
    urn: "urn:pulumi:lab::gpu-hosts::gpu-hosts:index:LinuxHost::rack1",
    type: "gpu-hosts:index:LinuxHost",
    outputs: { declared: ["motd", "key"].map((name) => ({ host: "rack1", name, type: "Note" })) },
  };
  const hosts = { rack1: reachable({ "/etc/motd": "hello", "/etc/key": "x" }) };
  const motd = state("rack1", "motd", "hello");
  const { results, exit } = await look([component, motd], hosts);
  expect(results).toMatchObject([
    { name: "motd", label: "in sync" },
    {
      host: "rack1",
      name: "key",
      type: "Note",
      label: "never made",
      details: ["the last run ended before it was made; the next `up` makes it"],
    },
  ]);
  expect(exit).toBe(2);
  expect((await look([component, motd, state("rack1", "key", "x")], hosts)).exit).toBe(0);
});

test("what is still on its way says so within seconds, and is not in sync", async () => {
  const begun = Date.now();
  const { results, exit } = await look([state("rack1", "motd", secret("sk-wanted-1"))], {
    rack1: reachable({ "/etc/motd": "sk-wanted-1", "/etc/motd.settling": "starting: sk-wanted-1 is late" }),
  });
  expect(results).toMatchObject([{ label: "on its way", details: ["starting: [secret] is late"] }]);
  expect(exit).toBe(2);
  expect(Date.now() - begun).toBeLessThan(5000);
});

test("a type of a newer release could not be looked at", async () => {
  const { results } = await look([state("rack1", "x", "y", { type: "gpuhost:index:Hologram" })], {
    rack1: reachable({}),
  });
  expect(results).toMatchObject([
    { label: "could not look", details: [expect.stringContaining("Hologram")] },
  ]);
});

test("resources of others and those that wait for deletion are left out", async () => {
  const { results, exit } = await look(
    [
      { urn: "urn:pulumi:lab::gpu-hosts::pulumi:pulumi:Stack::gpu-hosts-lab", type: "pulumi:pulumi:Stack" },
      state("rack1", "old", "x", { delete: true }),
    ],
    {},
  );
  expect(results).toEqual([]);
  expect(exit).toBe(0);
});
