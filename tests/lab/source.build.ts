import { afterAll, beforeAll, expect, test } from "vitest";
import { describeLab } from "#tests/support/describe-lab.ts";
import { llamacppSource } from "#tests/support/llamacpp-source.ts";
import { type Releases, startReleases } from "#tests/support/releases.ts";
import { type ServedStack, startServedStack } from "#tests/support/served-stack.ts";
import { traces } from "#tests/support/traces.ts";

/**
 * llama.cpp compiled from its source on a Debian 12 host, whose distribution has none, with the real engine.
 * It takes 10 minutes on two idle cores and much longer on busy ones, so it is not part of `npm test`: `npm
 * run test:build`.
 */

const tag = "b11669";
let stack: ServedStack;
let releases: Releases;
let bare: string;

const host = (command: string, timeoutSeconds = 60) =>
  stack.lab.host("alpha").exec(command, { timeoutSeconds });
const script = (name: string, ...args: string[]) => stack.workspace.script(name, ...args);

function ok({ exitCode, output }: { exitCode: number; output: string }): string {
  expect(exitCode, output).toBe(0);
  return output;
}

describeLab("llama.cpp from source", () => {
  beforeAll(async () => {
    stack = await startServedStack("bookworm");
    releases = await startReleases(stack.lab.gateway);
    releases.publishSource(tag, await llamacppSource(tag));
    bare = await host(traces);
    const build = { source: { tag, variant: "cpu" } };
    await stack.configure({ workers: [], build }, { llamacpp: releases.url });
  });

  afterAll(async () => {
    await releases?.close();
    await stack?.stop();
  });

  test("a source without a hash is refused with the command that writes it", async () => {
    const { exitCode, output } = await stack.workspace.pulumi("preview", "--stack", "lab");
    expect(exitCode).not.toBe(0);
    expect(output).toContain(
      `services.chat.build.source.sha256: is no SHA-256; run: npm run pin llamacpp ${tag} lab`,
    );
    ok(await script("pin", "llamacpp", tag, "lab"));
  });

  test("up compiles it and serves a completion", async () => {
    ok(await script("up", "lab", "--yes"));
    expect((await stack.ask()).status).toBe(200);
    const program = await host(
      "readlink /proc/$(systemctl show --property=MainPID --value llama-server-chat.service)/exe",
    );
    expect(program).toMatch(
      /^\/var\/lib\/gpu-hosts\/builds\/llama\.cpp-chat\/[0-9a-f]{12}\/bin\/llama-server\n$/,
    );
    expect(await host(`${program.trim()} --version 2>&1`)).toContain(`build ${tag.slice(1)}, commit ${tag}`);
  });

  test("its RPC server lends memory to its server", async () => {
    const bin = "/var/lib/gpu-hosts/builds/llama.cpp-chat/*/bin";
    await host(
      `systemd-run --quiet --unit=lends ${(await host(`echo ${bin}`)).trim()}/ggml-rpc-server --port 50099`,
    );
    const devices = `for i in $(seq 30); do timeout 5 ${bin}/llama-server --rpc 127.0.0.1:50099 --list-devices 2>&1 | grep RPC0 && break; sleep 1; done`;
    expect(await host(devices, 300)).toContain("RPC0: 127.0.0.1:50099 (");
    await host("systemctl stop lends");
  });

  test("a second up changes nothing, drift is clean, destroy leaves the host as it was found", async () => {
    ok(
      await stack.workspace.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", "--expect-no-changes"),
    );
    ok(await script("drift", "lab"));
    ok(await stack.workspace.pulumi("destroy", "--yes", "--stack", "lab"));
    // The compilers' configuration files stay, as those of every removed package do.
    await host("dpkg --purge $(dpkg --list | awk '$1 == \"rc\" { print $2 }')");
    expect(await host(traces)).toBe(bare);
    expect(await host("ls /var/lib/gpu-hosts/builds /var/lib/gpu-hosts/downloads 2>/dev/null || true")).toBe(
      "",
    );
  });
});
