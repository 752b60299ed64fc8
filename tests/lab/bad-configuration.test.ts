import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { inventoryEntry, inventoryOf } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * What is wrong with a stack file is told by the real `pulumi preview` and `npm run up`, before any host is
 * touched.
 */

describeLab("a wrong stack file", () => {
  let lab: Lab;
  let workspace: Workspace;
  let before: readonly string[];

  const tracesNow = () => Promise.all(lab.hosts.map((host) => host.exec(traces)));
  const model = { repo: "lab/tiny", revision: "0".repeat(40), files: { "tiny.gguf": "0".repeat(64) } };
  const chat = { engine: "llamacpp", leader: "alpha", workers: ["beta"], model, apiKey: "x".repeat(20) };

  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "bookworm" },
      ],
    });
    workspace = createWorkspace();
    before = await tracesNow();
  });

  beforeEach(() => configure({}));

  afterAll(async () => {
    await lab?.stop();
    workspace?.remove();
  });

  /** A stack file that is right, but for the changes. */
  const configure = (change: Record<string, unknown>) =>
    workspace.configure("lab", {
      "gpuhost:hosts": inventoryOf(lab.hosts),
      "gpu-hosts:services": { chat },
      ...change,
    });

  /** The lines of the refusal, by which nothing has changed: neither on a host nor in the state. */
  async function refusal(command: "preview" | "up" = "preview"): Promise<string[]> {
    const { exitCode, output } =
      command === "preview"
        ? await workspace.pulumi("preview", "--stack", "lab")
        : await workspace.script("up", "lab", "--yes");
    expect(exitCode, output).toBe(1);
    expect(output, "a stack trace tells an operator nothing").not.toMatch(/^\s+at .*:\d+:\d+/m);
    const { output: exported } = await workspace.pulumi("stack", "export", "--stack", "lab");
    expect(exported).not.toContain("gpuhost:index:");
    expect(await tracesNow()).toEqual(before);
    const [, told = ""] =
      /no host was touched:\n([\s\S]*?)\n\n/.exec(output.slice(output.indexOf("Diagnostics:"))) ?? [];
    return told.split("\n").map((line) => line.trim());
  }

  test("an unknown field is named with its path and what was meant, in the inventory and in a service", async () => {
    const hosts = {
      ...inventoryOf(lab.hosts),
      alpha: inventoryEntry(lab.host("alpha"), { adress: "10.0.0.1" }),
    };
    await configure({ "gpuhost:hosts": hosts, "gpu-hosts:services": { chat: { ...chat, contxt: 512 } } });
    expect(await refusal("up")).toEqual([
      "hosts.alpha.adress: is not a known key; did you mean address?",
      "services.chat.contxt: is not a known key; did you mean context?",
    ]);
  });

  test("a misspelt section is refused: it would be an empty one, and take down what runs", async () => {
    await configure({ "gpu-hosts:services": undefined, "gpu-hosts:servces": { chat } });
    expect(await refusal()).toEqual([
      "gpu-hosts:servces: is not a known key; did you mean gpu-hosts:services?",
    ]);
  });

  test("a missing required field is named with what it means", async () => {
    const { address: _, ...alpha } = inventoryEntry(lab.host("alpha"));
    const { model: _model, ...bare } = chat;
    await configure({
      "gpuhost:hosts": { ...inventoryOf(lab.hosts), alpha },
      "gpu-hosts:services": { chat: bare },
    });
    expect(await refusal()).toEqual([
      "hosts.alpha.address: is missing: DNS name, IPv4 or IPv6 address that your machine reaches over SSH.",
      "services.chat.model: is missing: What is served: `repo`, `revision` and `files` on the model hub, or `url` and `files`.",
    ]);
  });

  test("a wrong type is named with the right one and how to write it", async () => {
    const hosts = { ...inventoryOf(lab.hosts), alpha: inventoryEntry(lab.host("alpha"), { port: "22" }) };
    await configure({
      "gpuhost:hosts": hosts,
      "gpu-hosts:services": { chat: { ...chat, workers: "beta", alias: 7 } },
    });
    expect(await refusal()).toEqual([
      "hosts.alpha.port: must be a number, is a text; write it without quotes",
      "services.chat.workers: must be a list, is a text; write it in brackets: [ … ]",
      "services.chat.alias: must be a text, is a number; put it in quotes",
    ]);
  });

  test("an unknown host name is named with the one that was meant", async () => {
    await configure({
      "gpu-hosts:services": { chat: { ...chat, leader: "alhpa", workers: ["beta", "gamma"] } },
    });
    expect(await refusal("up")).toEqual([
      "services.chat.leader: alhpa is no host of gpuhost:hosts; did you mean alpha?",
      "services.chat.workers[1]: gamma is no host of gpuhost:hosts; known here: alpha, beta",
    ]);
  });

  test("once the file is right, the same preview goes through", async () => {
    const { exitCode, output } = await workspace.pulumi("preview", "--stack", "lab");
    expect(exitCode, output).toBe(0);
    expect(output).toContain("chat-alpha-server create");
  });
});
