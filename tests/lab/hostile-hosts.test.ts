import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { peakMemory, provider } from "#tests/bench/processes.ts";
import { type HostileMachines, startHostileMachines, steering } from "#tests/hostile/ssh-server.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/** Machines that were taken over, beside one that was not, and what they can do to who operates them. */

let lab: Lab;
let alpha: LabHost;
let hostile: HostileMachines;
let workspace: Workspace;

const root = join(import.meta.dirname, "../..");
const mebibyte = 1024 * 1024;
/** Node and what it loads take some 150 MiB; of an answer 64 MiB are taken, and they are copied as they grow. */
const mostBytes = 700 * mebibyte;

/** What the machines try, or any part of it: title, clipboard, clearing. Pulumi asks for the colours itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steers = /\u001b\](?:0|52);|\u009d|\u001b\[2J|\u0007/;

const entries = () =>
  Object.fromEntries(
    Object.entries(hostile.entries).map(([name, entry]) => [
      name,
      {
        platform: "linux",
        address: "127.0.0.1",
        user: "root",
        sshConfig: false,
        identityFile: alpha.identityFile,
        ...entry,
      },
    ]),
  );

/**
 * A command in a terminal: what it got, byte for byte, and the most memory that a process of its took, by a
 * word of its command line.
 */
async function inTerminal(command: string, word: string) {
  const words = ["--quiet", "--return", "--flush", "--command", command, "/dev/null"];
  const env = { TERM: "xterm", SHELL: "/bin/sh" };
  const { result, bytes } = await peakMemory(word, () => workspace.start("script", words, env).ended);
  expect(bytes, `memory of ${word}`).toBeGreaterThan(50 * mebibyte);
  return { result, bytes };
}

/** One of our scripts in a terminal. */
function ours(name: string, ...args: string[]) {
  const script = join(root, "scripts", `${name}.ts`);
  return inTerminal([process.execPath, script, ...args].join(" "), script);
}

const stackFile = () => readFileSync(join(workspace.folder, "Pulumi.lab.yaml"), "utf8");

describeLab("hosts that mean harm", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    alpha = lab.host("alpha");
    hostile = await startHostileMachines();
    workspace = createWorkspace();
    await workspace.configure("lab", { "gpuhost:hosts": { alpha: inventoryEntry(alpha), ...entries() } });
  });

  afterAll(async () => {
    await hostile?.close();
    await lab?.stop();
    workspace?.remove();
  });

  test("each fails alone when it is read: the others go on, memory stays, nothing steers the terminal or is believed", async () => {
    const { result, bytes } = await ours("host", "refresh", "lab");
    const output = failed(result);
    for (const name of Object.keys(hostile.entries)) expect(output).toMatch(new RegExp(`^${name} \\(`, "m"));
    expect(output).toContain("goodbye");
    expect(output).not.toMatch(steers);
    expect(bytes).toBeLessThan(mostBytes);
    expect(stackFile()).toContain("release: Debian GNU/Linux 12 (bookworm)");
    expect(stackFile()).not.toContain("Forged");
  });

  test("each fails alone in an up, through the engine and its display", async () => {
    const up = "pulumi up --yes --skip-preview --continue-on-error --stack lab";
    const { result, bytes } = await inTerminal(up, provider);
    const output = failed(result);
    const words = stripVTControlCharacters(output);
    for (const name of Object.keys(hostile.entries)) expect(words).toContain(`error: ${name} (`);
    expect(output).not.toMatch(steers);
    expect(bytes).toBeLessThan(mostBytes);
    expect(await alpha.exec("nft list table inet gpu_hosts")).toContain("chain input");
    expect(stripVTControlCharacters((await ours("drift", "lab")).result.output)).toMatch(/✓ alpha-files/);
  });

  test("a host whose files and programs lie makes no stack file that cannot be used, and steers nothing", async () => {
    await workspace.configure("lab", { "gpuhost:hosts": { alpha: inventoryEntry(alpha) } });
    ok(await workspace.script("up", "lab", "--yes"));
    await alpha.exec("cat > /etc/os-release", {
      input: `ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian ${steering} | evil: [1"\n`,
    });
    await alpha.exec("cat > /etc/needrestart/conf.d/gpu-hosts.conf", { input: `${steering}\n` });
    for (const [name, ...words] of [["host", "refresh"], ["drift"], ["plan"]] as const) {
      const { result } = await ours(name, ...words, "lab");
      expect(result.output, name).not.toMatch(steers);
    }
    expect(stackFile()).toContain("evil: [1");
    expect(stackFile()).not.toMatch(steers);
    ok(await workspace.script("up", "lab", "--yes", "--refresh"));
    ok(await workspace.script("drift", "lab"));
  });
});
