import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { z } from "zod";
import { askProbe } from "#facts/probes/ask-probe.ts";
import { hostEntry } from "#inventory/inventory.ts";
import type { AnyDefinition } from "#provider/contract/resource.ts";
import { definitions } from "#provider/resources/index.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import type { Machine, Reach } from "#transport/host.ts";
import type { Outlook } from "#transport/outlook.ts";
import { verify } from "./verify.ts";

const resource = (type: string, host: string, name: string, applied: object) => ({
  urn: `urn:pulumi:lab::gpu-hosts::gpuhost:index:${type}::${name}`,
  type: `gpuhost:index:${type}`,
  id: `${host}:${name}`,
  inputs: { host },
  outputs: { host, applied },
});
const chatUnit = { kind: "unit", unit: "chat.service" } as const;
const exported = {
  deployment: {
    resources: [
      resource("SystemdService", "rack1", "chat-unit", { name: "chat.service", running: true }),
      resource("SystemdService", "rack1", "spare", { name: "spare.service", running: false }),
      resource("Check", "rack2", "chat-check", { name: "chat", probe: chatUnit, generation: "1" }),
    ],
  },
};
const inventory = { hosts: { rack1: hostEntry.parse({ platform: "linux", address: "127.0.0.1" }) } };
const unit = (active: string) =>
  ({
    state: "reachable",
    host: fakeHost({
      [keyOf(askProbe(chatUnit).command)]:
        `LoadState=loaded\nActiveState=${active}\nSubState=x\nUnitFileState=enabled\nMainPID=1\nNRestarts=0\n`,
    }) as Machine,
  }) satisfies Reach;

type Given = Parameters<typeof verify>[0];

async function run(
  rack1: Reach,
  closed: Given["closed"] = [],
  outlook: Outlook = { from: "here", address: "127.0.0.1" },
) {
  const rack2: Reach = { state: "unreachable", error: new Error("rack2: no answer") };
  const told: string[] = [];
  const results = await verify(
    {
      exported,
      inventory,
      closed,
      reach: async (host) => (host === "rack1" ? rack1 : rack2),
      outlook: async () => outlook,
    },
    ({ name }) => told.push(name),
  );
  expect(told).toHaveLength(results.length);
  return results;
}

test("units that should run and checks are asked on their hosts, each for itself", async () => {
  expect(await run(unit("active"))).toMatchObject([
    { host: "rack1", name: "chat-unit: chat.service to be active", label: "passed" },
    {
      host: "rack2",
      name: "chat-check: chat.service to be active",
      label: "could not look",
      details: ["rack2: no answer"],
    },
  ]);
});

/** A resource of another engine or system, beside those of the provider for this file alone. */
const task: AnyDefinition = {
  ...(definitions.get("Check") as AnyDefinition),
  type: "Task",
  version: 1,
  on: "windows",
  inputs: z.strictObject({ name: z.string() }),
  probes: ({ name }) => [{ kind: "http", url: `http://127.0.0.1/${name}`, status: 200 }],
};
(definitions as Map<string, AnyDefinition>).set("Task", task);

test("a definition says what a deployed one stands for; it is asked on the system that it acts on", async () => {
  const asked: unknown[] = [];
  const results = await verify({
    exported: { deployment: { resources: [resource("Task", "rack1", "nightly", { name: "nightly" })] } },
    inventory,
    closed: [],
    reach: async (host, on) => {
      asked.push([host, on]);
      return { state: "absent", reason: "no such place" };
    },
    outlook: async () => ({ from: "here", address: "127.0.0.1" }),
  });
  expect(asked).toEqual([["rack1", "windows"]]);
  expect(results).toMatchObject([
    {
      name: "nightly: http://127.0.0.1/nightly to answer HTTP 200",
      type: "http on the host",
      label: "failed",
      details: ["no such place"],
    },
  ]);
});

test("state of a newer release could not be looked at", async () => {
  const newer = resource("Check", "rack1", "chat-check", { name: "chat" });
  const results = await verify({
    exported: { deployment: { resources: [{ ...newer, outputs: { ...newer.outputs, schemaVersion: 99 } }] } },
    inventory,
    closed: [],
    reach: async () => unit("active"),
    outlook: async () => ({ from: "here", address: "127.0.0.1" }),
  });
  expect(results).toMatchObject([
    {
      name: "chat-check",
      label: "could not look",
      details: expect.arrayContaining([expect.stringContaining("newer gpu-hosts")]),
    },
  ]);
});

test("a unit that has failed", async () => {
  expect(await run(unit("failed"))).toMatchObject([{ label: "failed", details: ["failed (x)"] }, {}]);
});

test("a port on a host that does not answer is not taken for closed", async () => {
  const port = { allowed: ["rack2"], port: 1, what: "chat: the RPC worker" };
  const results = await run(unit("active"), [
    { ...port, host: "rack1" },
    { ...port, host: "rack2" },
  ]);
  expect(results.slice(2)).toMatchObject([
    { host: "rack1", name: "chat: the RPC worker: port 1 to be closed to strangers", label: "passed" },
    { host: "rack2", label: "could not look" },
  ]);
});

/** A jump host whose connections end at this machine's ports. */
const behind = (name: string, listed = true) =>
  ({
    from: "jump host",
    name,
    listed,
    jumpAddress: "10.0.0.9",
    address: "192.168.7.2",
    sshPort: 22,
    connect: async (port) => {
      if (port === 22) return { state: "open", stream: new PassThrough() };
      return { state: "closed", why: "Connection refused" };
    },
  }) satisfies Outlook;
const rpc = { host: "rack1", port: 50052, what: "chat: the RPC worker" };

test("what lies behind a jump host is tried from there, and the report says so", async () => {
  const port = { ...rpc, allowed: ["rack1", "leader"] };
  const [, , closed] = await run(unit("active"), [port], behind("bastion"));
  expect(closed).toMatchObject({
    type: "through bastion",
    label: "passed",
    details: ["no connection from bastion (Connection refused)"],
  });
});

test("a service is asked from outside of its host; one that only its host reaches is not", async () => {
  const outputs = (url: string) => ({ services: { chat: { url, model: "chat" } }, "chat-apiKey": "sk-lab" });
  const stack = (url: string) => ({
    deployment: {
      resources: [
        {
          urn: "urn:pulumi:lab::gpu-hosts::pulumi:pulumi:Stack::lab",
          type: "pulumi:pulumi:Stack",
          outputs: outputs(url),
        },
      ],
    },
  });
  const ask = (url: string, outlook: Outlook) => {
    const hosts = { rack1: hostEntry.parse({ platform: "linux", address: "192.168.7.2" }) };
    const reach = async () => unit("active");
    return verify({
      exported: stack(url),
      inventory: { hosts },
      closed: [],
      reach,
      outlook: async () => outlook,
    });
  };
  expect(await ask("http://192.168.7.2:8080/v1", behind("bastion"))).toMatchObject([
    {
      host: "rack1",
      type: "through bastion",
      label: "failed",
      details: ["no answer at http://192.168.7.2:8080 from bastion: Connection refused"],
    },
    { host: "rack1", type: "through bastion", label: "could not look" },
  ]);
  expect(await ask("http://127.0.0.1:8080/v1", behind("bastion"))).toEqual([]);
});

test("a jump host that may reach the port proves nothing of strangers", async () => {
  const port = { ...rpc, allowed: ["rack1", "leader"] };
  expect(await run(unit("active"), [port], behind("leader"))).toHaveLength(2);
  // As a login outside of the inventory it is known by its address.
  const allowed = { ...rpc, allowed: ["rack1"] };
  const outside = { ...behind("ops@127.0.0.1", false), jumpAddress: "127.0.0.1" };
  expect(await run(unit("active"), [allowed], outside)).toHaveLength(2);
});

test("behind a ProxyCommand nobody can look from outside", async () => {
  const port = { ...rpc, allowed: ["rack1"] };
  const [, , closed] = await run(unit("active"), [port], { from: "nowhere", command: "nc -x proxy" });
  expect(closed).toMatchObject({ type: "from outside", verdict: "unknown", label: "could not look" });
  expect(closed?.details.join()).toContain("not looked at from outside: only a ProxyCommand leads there");
});
