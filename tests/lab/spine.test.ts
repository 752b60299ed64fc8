import { afterAll, beforeAll, expect, test } from "vitest";
import { neighbour } from "#tests/hostile/host-neighbour.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { eventually, type ServedStack, startServedStack } from "#tests/support/served-stack.ts";
import { traces } from "#tests/support/traces.ts";

/**
 * Two bare hosts to a served model and back, with the real engine, in one story: each test goes on where the
 * last ended.
 */

let stack: ServedStack;
let bare: string;
let bareWorker: string;

const leader = (command: string) => stack.lab.host("alpha").exec(command);
const worker = (command: string) => stack.lab.host("beta").exec(command);

function ok({ exitCode, output }: { exitCode: number; output: string }): string {
  expect(exitCode, output).toBe(0);
  return output;
}

describeLab("the spine", () => {
  beforeAll(async () => {
    stack = await startServedStack();
    bare = await leader(traces);
    bareWorker = await worker(traces);
    await stack.configure();
  });

  afterAll(async () => {
    await stack?.stop();
  });

  test("a preview reads the hosts, changes nothing and shows no secret", async () => {
    const output = ok(await stack.workspace.pulumi("preview", "--stack", "lab", "--diff"));
    expect(output).not.toContain(stack.apiKey);
    expect(await leader(traces)).toBe(bare);
  });

  test("up takes two bare hosts to a model that answers, whatever another user of them tries", async () => {
    await leader(neighbour.start);
    const output = ok(await stack.workspace.script("up", "lab", "--yes"));
    expect(output).not.toContain(stack.apiKey);
    const { got, seen } = await neighbour.result(leader);
    expect(got).toBe("");
    expect(seen).toContain("sshd");
    expect(seen).not.toContain(stack.apiKey);
    const answer = await stack.ask();
    expect(answer.status).toBe(200);
    const { choices } = (await answer.json()) as { choices: { message: { role: string } }[] };
    expect(choices[0]?.message.role).toBe("assistant");
    expect((await stack.ask("sk-wrong-key-0123456789")).status).toBe(401);
  });

  test("the model is split: layers lie on both hosts", async () => {
    const log = await leader("journalctl -u llama-server-chat.service --no-pager -o cat");
    expect(log).toMatch(/RPC0\[[^\]]*\] model buffer size = +0\.[1-9]/);
    expect(log).toMatch(/CPU\w* model buffer size = +0\.[1-9]/);
  });

  test("the worker takes connections from its leader only", async () => {
    const { address } = stack.lab.host("beta");
    const connect = `timeout 3 bash -c '</dev/tcp/${address}/50052'`;
    await expect(leader(connect)).resolves.toBe("");
    const { status } = await fetch(`http://${address}:50052`, { signal: AbortSignal.timeout(3000) }).catch(
      () => ({
        status: 0,
      }),
    );
    expect(status).toBe(0);
  });

  test("no secret is in the state, nor in a process list of the hosts", async () => {
    const exported = ok(await stack.workspace.pulumi("stack", "export", "--stack", "lab"));
    expect(exported).not.toContain(stack.apiKey);
    expect(await leader("ps axww -o args; cat /proc/[0-9]*/environ | tr '\\0' '\\n'")).not.toContain(
      stack.apiKey,
    );
  });

  test("what outsiders talk to sees none of the machines' other processes", async () => {
    const look = "ls -d /proc/1 /proc/cpuinfo /proc/self/status 2>/dev/null || true";
    const as = (pid: string) =>
      `id=$(stat -c %u /proc/${pid}); nsenter --target ${pid} --mount --setuid $id --setgid $id sh -c '${look}'`;
    const main = (unit: string) => as(`$(systemctl show -P MainPID ${unit})`);
    expect(await leader(`setpriv --reuid=nobody --clear-groups sh -c '${look}'`)).toMatch("/proc/1\n");
    expect(await leader(main("llama-server-chat.service"))).toBe("/proc/cpuinfo\n/proc/self/status\n");
    expect(await worker(main("llama-rpc-chat.service"))).toBe("/proc/cpuinfo\n/proc/self/status\n");
    // It waits for a request, which never comes.
    const beta = stack.lab.host("beta");
    const asking = `exec 3<>/dev/tcp/${beta.address}/50062
until pid=$(pgrep -f '/chat/member '); do sleep 0.1; done
${as("$pid")}`;
    expect(await beta.exec("timeout 8 bash", { input: asking })).toBe("/proc/self/status\n");
  });

  test("a second up changes nothing, drift is clean, verify is content", async () => {
    ok(
      await stack.workspace.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", "--expect-no-changes"),
    );
    ok(await stack.workspace.script("drift", "lab"));
    const verified = ok(await stack.workspace.script("verify", "lab"));
    expect(verified).not.toContain(stack.apiKey);
  });

  test("a killed worker comes back and the leader with it, without another up", async () => {
    const since = (await leader("systemctl show -P NRestarts llama-server-chat.service")).trim();
    await worker("systemctl kill --signal=KILL llama-rpc-chat.service");
    await stack.ask().catch(() => undefined);
    await eventually("the leader to answer again", async () => (await stack.ask()).status === 200);
    await eventually("both units to run", async () => {
      const states = await worker("systemctl is-active llama-rpc-chat.service");
      return states.trim() === "active";
    });
    expect(
      Number(await leader("systemctl show -P NRestarts llama-server-chat.service")),
    ).toBeGreaterThanOrEqual(Number(since));
    ok(await stack.workspace.script("drift", "lab"));
  });

  test("changes by hand are named by drift and preview, repaired by up --refresh", async () => {
    await leader("echo '# by hand' >> /etc/gpu-hosts/chat/group");
    await leader("systemctl stop llama-server-chat.service");
    await worker("apt-get remove -y libggml0-backend-rpc >/dev/null 2>&1");
    const drift = await stack.workspace.script("drift", "lab", "--json");
    expect(drift.exitCode, drift.output).toBe(2);
    for (const what of ["/etc/gpu-hosts/chat/group", "running", "libggml0-backend-rpc"]) {
      expect(drift.output).toContain(what);
    }
    const preview = await stack.workspace.pulumi(
      "preview",
      "--stack",
      "lab",
      "--refresh",
      "--diff",
      "--expect-no-changes",
    );
    expect(preview.exitCode).not.toBe(0);
    expect(preview.output).toContain("by hand");
    expect(preview.output).toContain("libggml0-backend-rpc");
    expect(preview.output).not.toContain(stack.apiKey);

    ok(await stack.workspace.script("up", "lab", "--yes", "--refresh"));
    ok(await stack.workspace.script("drift", "lab"));
    expect((await stack.ask()).status).toBe(200);
  });

  test("pulumi refresh does not launder a change by hand", async () => {
    await leader("echo '# again' >> /etc/gpu-hosts/chat/group");
    ok(await stack.workspace.pulumi("refresh", "--yes", "--stack", "lab"));
    expect((await stack.workspace.script("drift", "lab")).exitCode).toBe(2);
    ok(await stack.workspace.script("up", "lab", "--yes"));
    ok(await stack.workspace.script("drift", "lab"));
  });

  test("a host that is off is `could not look`, the others are still reported", async () => {
    await stack.lab.host("beta").powerOff();
    const { exitCode, output } = await stack.workspace.script("drift", "lab");
    expect(exitCode, output).toBe(3);
    expect(output).toMatch(/could not look/);
    expect(output).toMatch(/alpha/);
    await stack.lab.host("beta").powerOn();
    await eventually("the model after the worker's return", async () => (await stack.ask()).status === 200);
    ok(await stack.workspace.script("drift", "lab"));
  });

  test("destroy leaves the hosts as they were found, and up can take them again", async () => {
    ok(await stack.workspace.pulumi("destroy", "--yes", "--stack", "lab"));
    expect(await leader(traces)).toBe(bare);
    expect(await worker(traces)).toBe(bareWorker);
    expect(await leader("systemctl list-units --all --plain --no-legend 'llama-*' 'gpu-hosts*'")).toBe("");
    // What README names.
    const left = "cd / && find /run/gpu-hosts var/lib/gpu-hosts -maxdepth 1 | sort";
    expect(await leader(left)).toBe(
      "/run/gpu-hosts\n/run/gpu-hosts/lock\nvar/lib/gpu-hosts\nvar/lib/gpu-hosts/models\n",
    );
    expect(await worker("ls -d /var/lib/gpu-hosts 2>/dev/null || true")).toBe("");
    ok(await stack.workspace.script("up", "lab", "--yes"));
    expect((await stack.ask()).status).toBe(200);
  });
});
