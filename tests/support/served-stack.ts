import { createHash } from "node:crypto";
import type { Release } from "#lab/base.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { inventoryOf } from "./stack-config.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

/**
 * Two bare hosts, a hub with the tiny model, and a stack that serves it from both: `alpha` leads, `beta`
 * works.
 */
export interface ServedStack {
  readonly lab: Lab;
  readonly workspace: Workspace;
  readonly apiKey: string;
  /**
   * Writes the stack file. @param change keys of the service to add or replace @param mirrors beside the hub
   */
  configure(change?: Record<string, unknown>, mirrors?: Record<string, string>): Promise<void>;
  /** Asks for a completion from outside, as a client would. */
  ask(key?: string): Promise<Response>;
  stop(): Promise<void>;
}

/**
 * Two lab hosts, a hub and a stack file with a service that is split between them; nothing of it is up yet.
 */
export async function startServedStack(release: Release = "forky"): Promise<ServedStack> {
  const lab = await startLab({
    hosts: [
      { name: "alpha", release },
      { name: "beta", release },
    ],
  });
  const hub: Hub = await startHub(lab.gateway);
  const workspace = createWorkspace();
  const apiKey = "sk-lab-0123456789abcdef";
  const model = tinyGguf();
  const revision = hub.publish("lab/tiny-GGUF", { "tiny.gguf": model });
  const files = { "tiny.gguf": createHash("sha256").update(model).digest("hex") };
  return {
    lab,
    workspace,
    apiKey,
    configure: (change = {}, mirrors = {}) =>
      workspace.configure("lab", {
        "gpuhost:hosts": inventoryOf(lab.hosts),
        "gpu-hosts:mirrors": { hub: hub.url, ...mirrors },
        "gpu-hosts:services": {
          chat: {
            engine: "llamacpp",
            leader: "alpha",
            workers: ["beta"],
            model: { repo: "lab/tiny-GGUF", revision, files },
            port: 8080,
            context: 512,
            gpuLayers: 4,
            // At this level the server tells where it puts the layers.
            extraArgs: ["--log-verbosity", "4"],
            apiKey: { secret: apiKey },
            ...change,
          },
        },
      }),
    ask: (key = apiKey) =>
      fetch(`http://${lab.host("alpha").address}:8080/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: "chat",
          messages: [{ role: "user", content: "Hello" }],
          max_tokens: 4,
        }),
        signal: AbortSignal.timeout(30_000),
      }),
    async stop() {
      await hub.close();
      await lab.stop();
      workspace.remove();
    },
  };
}

/** Looks once a second until it is so. */
export async function eventually(what: string, look: () => Promise<boolean>, seconds = 90): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await look().catch(() => false))) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
