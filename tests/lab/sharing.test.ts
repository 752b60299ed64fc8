import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * Two stacks on one machine, each with a model to serve, with the real engine: `one` has the machine's base,
 * `two` is its guest. One story.
 */

let lab: Lab;
let hub: Hub;
let workspace: Workspace;
let alpha: LabHost;
let bare: string;

const apiKey = "sk-lab-0123456789abcdef";
const model = tinyGguf();
let revision: string;

const service = (port: number) => ({
  engine: "llamacpp",
  leader: "alpha",
  model: {
    repo: "lab/tiny-GGUF",
    revision,
    files: { "tiny.gguf": createHash("sha256").update(model).digest("hex") },
  },
  port,
  context: 512,
  apiKey: { secret: apiKey },
});

const configure = (
  stack: string,
  entry: Record<string, unknown>,
  services: Record<string, unknown>,
  base: Record<string, unknown> = {},
) =>
  workspace.configure(stack, {
    "gpuhost:hosts": { alpha: inventoryEntry(alpha, entry) },
    "gpu-hosts:mirrors": { hub: hub.url },
    "gpu-hosts:services": services,
    "gpu-hosts:base": base,
  });
const up = (stack: string, ...args: string[]) =>
  workspace.pulumi("up", "--yes", "--skip-preview", "--stack", stack, ...args);
const destroy = (stack: string) => workspace.pulumi("destroy", "--yes", "--skip-preview", "--stack", stack);

async function status(port: number): Promise<number> {
  const { status } = await fetch(`http://${alpha.address}:${port}/v1/models`, {
    headers: { authorization: `Bearer ${apiKey}` },
    signal: AbortSignal.timeout(30_000),
  });
  return status;
}

async function inSync(stack: string): Promise<void> {
  ok(await workspace.script("drift", stack));
  ok(await up(stack, "--expect-no-changes"));
}

describeLab("two stacks on one machine", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "forky" }] });
    alpha = lab.host("alpha");
    hub = await startHub(lab.gateway);
    revision = hub.publish("lab/tiny-GGUF", { "tiny.gguf": model });
    workspace = createWorkspace();
    bare = await alpha.exec(traces);
    await configure("one", {}, { chat: service(8080) });
  });

  afterAll(async () => {
    await hub?.close();
    await lab?.stop();
    workspace?.remove();
  });

  test("what both want is refused by name at preview: the base with its cure, a service of the same name", async () => {
    ok(await up("one"));
    await configure("two", {}, { talk: service(8081) });
    const base = failed(await workspace.pulumi("preview", "--stack", "two"));
    // Whichever part of the base is looked at first.
    expect(base).toMatch(/(firewall|file \/etc\/\S+) belongs to stack gpu-hosts\/one \(.*::alpha-/);
    expect(base).toContain("write `base: false` for the machine");

    await configure("two", { base: false }, { chat: service(8081) });
    const chat = failed(await workspace.pulumi("preview", "--stack", "two"));
    expect(chat).toMatch(/file \/etc\/gpu-hosts\/chat\S* belongs to stack gpu-hosts\/one \(.*::chat-alpha-/);
    expect(chat).toContain("A service needs another");
    ok(await workspace.script("drift", "one"));
  });

  test("a guest is told which port the other stack must open, and it does", async () => {
    await configure("two", { base: false }, { talk: service(8081) });
    const told = ok(await up("two"));
    expect(told).toMatch(
      /warning: alpha has `base: false`[\s\S]* - \{ port: 8081, from: any, why: "talk: the API" \}/,
    );
    await configure(
      "one",
      {},
      { chat: service(8080) },
      { openings: { alpha: [{ port: 8081, why: "talk: the API" }] } },
    );
    ok(await up("one"));
    expect(await alpha.exec("nft list table inet gpu_hosts")).toContain("talk: the API");
    expect([await status(8080), await status(8081)]).toEqual([200, 200]);
    await inSync("one");
    await inSync("two");
  });

  test("the one that came first leaves, and the other goes on; with the last one all is gone", async () => {
    ok(await destroy("one"));
    expect(await status(8081)).toBe(200);
    await inSync("two");
    await alpha.exec("command -v curl");
    ok(await destroy("two"));
    expect(await alpha.exec(traces)).toBe(bare);
    expect(await alpha.exec("ls /var/lib/gpu-hosts/owners 2>/dev/null || true")).toBe("");
  });
});
