import { afterAll, beforeAll, expect, test } from "vitest";
import { describeLab } from "#tests/support/describe-lab.ts";
import { cpuArchive, type Releases, startReleases } from "#tests/support/releases.ts";
import { type ServedStack, startServedStack } from "#tests/support/served-stack.ts";
import { traces } from "#tests/support/traces.ts";

/**
 * llama.cpp from the project's release archives on two bare hosts, with the real engine, in one story: each
 * test goes on where the last ended. The archives are the distribution's programs, packed as the project
 * packs its own.
 */

let stack: ServedStack;
let releases: Releases;
let bare: string;

const leader = (command: string) => stack.lab.host("alpha").exec(command);
const worker = (command: string) => stack.lab.host("beta").exec(command);
const script = (name: string, ...args: string[]) => stack.workspace.script(name, ...args);
const folder = "/var/lib/gpu-hosts/downloads/llama.cpp-chat";

function ok({ exitCode, output }: { exitCode: number; output: string }): string {
  expect(exitCode, output).toBe(0);
  return output;
}

/** Generation and program of each member's unit as it runs. */
async function running(): Promise<{ generation: string; program: string }[]> {
  const of = async (host: typeof leader, unit: string) => {
    const pid = (await host(`systemctl show --property=MainPID --value ${unit}`)).trim();
    const environment = await host(`tr '\\0' '\\n' < /proc/${pid}/environ`);
    return {
      generation: /^GPU_HOSTS_GENERATION=(.*)$/m.exec(environment)?.[1] ?? "none",
      program: (await host(`readlink /proc/${pid}/exe`)).trim(),
    };
  };
  return [await of(leader, "llama-server-chat.service"), await of(worker, "llama-rpc-chat.service")];
}

describeLab("llama.cpp from release archives", () => {
  beforeAll(async () => {
    stack = await startServedStack();
    releases = await startReleases(stack.lab.gateway);
    for (const tag of ["b101", "b102"]) {
      const { name, content } = await cpuArchive(stack.lab.host("alpha"), tag);
      releases.publish(tag, name, content);
    }
    bare = await leader(traces);
    const build = { release: { tag: "b101", variant: "cpu" } };
    await stack.configure({ build }, { llamacpp: releases.url });
  });

  afterAll(async () => {
    await releases?.close();
    await stack?.stop();
  });

  test("a release without hashes is refused with the command that writes them, and no host is touched", async () => {
    const { exitCode, output } = await stack.workspace.pulumi("preview", "--stack", "lab");
    expect(exitCode).not.toBe(0);
    expect(output).toContain(
      "services.chat.build.release.archives: holds no archive of b101 for cpu on x64, which alpha needs; run: npm run pin llamacpp b101 lab",
    );
    expect(await leader(traces)).toBe(bare);
  });

  test("that command writes them, and up serves from the archive on both hosts", async () => {
    ok(await script("pin", "llamacpp", "b101", "lab"));
    ok(await script("up", "lab", "--yes"));
    expect((await stack.ask()).status).toBe(200);
    const log = await leader("journalctl -u llama-server-chat.service --no-pager -o cat");
    expect(log).toMatch(/RPC0\[[^\]]*\] model buffer size = +0\.[1-9]/);
    const [server, rpc] = await running();
    expect(server?.program).toMatch(new RegExp(`^${folder}/[0-9a-f]{12}/llama-server$`));
    expect(rpc?.program).toBe(server?.program.replace("llama-server", "ggml-rpc-server"));
    expect(await leader("dpkg-query -W '*llama*' '*ggml*' 2>/dev/null || true")).toBe("");
    expect(await leader(`curl -s http://${stack.lab.host("beta").address}:50062/`)).toContain(
      '"build":"b101"',
    );
  });

  test("a second up changes nothing, drift is clean, verify is content", async () => {
    ok(
      await stack.workspace.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", "--expect-no-changes"),
    );
    ok(await script("drift", "lab"));
    ok(await script("verify", "lab"));
  });

  test("a program that was changed by hand is named by drift and repaired by up --refresh", async () => {
    const [, rpc] = await running();
    await worker(`cp ${rpc?.program} /run/same; printf x >> /run/same; mv /run/same ${rpc?.program}`);
    const { exitCode, output } = await script("drift", "lab");
    expect(exitCode, output).toBe(2);
    expect(output).toContain("beta");
    expect(output).toContain("ggml-rpc-server");
    ok(await script("up", "lab", "--yes", "--refresh"));
    ok(await script("drift", "lab"));
    // The repair starts the worker anew, and llama-server ends at the next request that misses it; its unit
    // brings it back.
    const status = () =>
      stack.ask().then(
        (answer) => answer.status,
        () => 0,
      );
    await expect.poll(status, { timeout: 120_000, interval: 2_000 }).toBe(200);
  });

  test("another tag is another generation on all members, and the old programs stay to go back to", async () => {
    const [before] = await running();
    ok(await script("pin", "llamacpp", "b102", "lab"));
    expect(ok(await script("up", "lab", "--yes"))).toMatch(
      new RegExp(
        `chat changes from generation ${before?.generation} to \\w+: it answers nothing until alpha, beta`,
      ),
    );
    expect((await stack.ask()).status).toBe(200);
    const [server, rpc] = await running();
    expect(server?.generation).not.toBe(before?.generation);
    expect(rpc?.generation).toBe(server?.generation);
    for (const on of [leader, worker]) {
      expect((await on(`cat ${folder}/*/LICENSE`)).trim().split("\n").sort()).toEqual([
        "Repacked as b101.",
        "Repacked as b102.",
      ]);
    }
    expect(await leader(`cat ${server?.program.replace("llama-server", "LICENSE")}`)).toBe(
      "Repacked as b102.\n",
    );
    ok(await script("drift", "lab"));
  });

  test("the distribution's packages take over, and nothing of the release stays", async () => {
    await stack.configure();
    ok(await script("up", "lab", "--yes"));
    expect((await stack.ask()).status).toBe(200);
    const [server, rpc] = await running();
    expect(server?.program).toBe("/usr/bin/llama-server");
    expect(rpc?.program).toMatch(/^\/usr\/libexec\/.*\/ggml-rpc-server$/);
    for (const on of [leader, worker])
      expect(await on("ls /var/lib/gpu-hosts 2>/dev/null || true")).not.toContain("downloads");
    ok(await script("drift", "lab"));
  });

  test("destroy leaves the hosts as they were found", async () => {
    ok(await stack.workspace.pulumi("destroy", "--yes", "--stack", "lab"));
    expect(await leader(traces)).toBe(bare);
  });
});
