import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import type { LabHost } from "#lab/host.ts";
import { type Hub, startHub } from "#lab/hub.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { local } from "#lab/local.ts";
import { tinyGguf } from "#lab/tiny-gguf.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { ok, refusals } from "#tests/support/ended.ts";
import { openTerminal } from "#tests/support/terminal.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";
import { pulumiFolder } from "#toolchain/install.ts";

/**
 * Two machines on a network that only a third one reaches, from `host add` to a model that is verified, in
 * one story: each test goes on where the last ended.
 */

let lab: Lab;
let [alpha, beta, gamma] = [] as unknown as [LabHost, LabHost, LabHost];
let hub: Hub;
let workspace: Workspace;

/** What the hosts are called on the inner network; this machine has no route there. */
const inner = { alpha: "192.168.77.1", beta: "192.168.77.2", gamma: "192.168.77.3" } as const;

const file = (stack = "lab") => join(workspace.folder, `Pulumi.${stack}.yaml`);
const text = (stack = "lab") => readFileSync(file(stack), "utf8");
const hosts = (stack = "lab") => parse(text(stack)).config["gpuhost:hosts"];

const add = (login: string, ...options: string[]) =>
  workspace.script("host", "add", login, "lab", "--identity-file", alpha.identityFile, ...options);
const ssh = (...words: string[]) => workspace.script("ssh", "lab", ...words);

const refused = refusals(file);

/** A network of its own: a switch in alpha, and a cable to each of the others. */
async function layInnerNetwork(): Promise<void> {
  const slot = alpha.address.split(".")[2];
  const [left, ...others] = [1, 2, 3].map((n) => `ghl${slot}-${n}`) as [string, string, string];
  const ip = (space: string, lines: readonly string[]) =>
    local("ip", ["-n", space, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  await ip(left, [
    "link add inner type bridge",
    `address add ${inner.alpha}/24 dev inner`,
    "link set inner up",
    ...others.flatMap((space, i) => [
      `link add inner${i} type veth peer name inner netns ${space}`,
      `link set inner${i} master inner up`,
    ]),
  ]);
  for (const [i, address] of [inner.beta, inner.gamma].entries())
    await ip(others[i] ?? "", [`address add ${address}/24 dev inner`, "link set inner up"]);
}

/**
 * An operator's home with an ssh config of theirs, which leads to gamma; the CLI is had as in the home of
 * this user.
 */
function homeOfOperator(): string {
  const home = join(workspace.folder, "home");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  mkdirSync(join(home, ".pulumi"));
  symlinkSync(dirname(dirname(pulumiFolder())), join(home, ".pulumi/versions"));
  const known = join(lab.dir, "known_hosts");
  const relay = `ssh -F none -q -i ${alpha.identityFile} -o UserKnownHostsFile=${known} -W %h:%p root@${alpha.address}`;
  writeFileSync(
    join(home, ".ssh/config"),
    `Host gate ${alpha.address}
  HostName ${alpha.address}
  User ops
  IdentityFile ${alpha.identityFile}
  UserKnownHostsFile ${known}
Host rack-*
  HostName ${inner.gamma}
  IdentityFile ${gamma.identityFile}
  User ops
Host rack-jump
  Port 2222
  ProxyJump gate
Host rack-command
  ProxyCommand ${relay}
`,
  );
  return home;
}

describeLab("behind a jump host", () => {
  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "forky" },
        { name: "gamma", release: "forky" },
      ],
    });
    [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map((name) => lab.host(name)) as [
      LabHost,
      LabHost,
      LabHost,
    ];
    await layInnerNetwork();
    await gamma.exec("systemd-run --unit=second-sshd /usr/sbin/sshd -D -p 2222");
    hub = await startHub(lab.gateway);
    workspace = createWorkspace();
    const model = tinyGguf();
    const revision = hub.publish("lab/tiny-GGUF", { "tiny.gguf": model });
    await workspace.configure("lab", {
      "gpu-hosts:mirrors": { hub: hub.url },
      "gpu-hosts:services": {
        chat: {
          engine: "llamacpp",
          leader: "beta",
          workers: ["gamma"],
          model: {
            repo: "lab/tiny-GGUF",
            revision,
            files: { "tiny.gguf": createHash("sha256").update(model).digest("hex") },
          },
          context: 512,
          gpuLayers: 4,
          extraArgs: ["--predict", "8"],
          apiKey: { secret: "sk-lab-0123456789abcdef" },
        },
      },
    });
    await workspace.configure("other", {});
  });
  afterAll(async () => {
    workspace?.remove();
    await hub?.close();
    await lab?.stop();
  });

  test("a jump host that nobody knows is refused before any machine is looked at", async () => {
    ok(await add(`ops@${alpha.address}`, "--yes", "--host-key", alpha.hostKey));
    expect(await refused(add(`root@${inner.beta}`, "--jump", "omega"))).toContain(
      "omega is no host of gpuhost:hosts",
    );
    expect(await refused(add(`root@${inner.beta}`, "--jump", "alpha,"))).toContain(
      "--jump alpha,: there is an empty name",
    );
    expect(await refused(add(`root@${inner.beta}`, "--jump=-oProxyCommand=x"))).toContain(
      "neither a host of",
    );
    // One outside of the inventory must be known to the operator's own ssh.
    const unknown = await refused(add(`root@${inner.beta}`, "--jump", `root@${alpha.address}`));
    expect(unknown).toMatch(/its jump host root@10\.97\..* cannot be used: /);
    expect(await refused(add("root@192.168.77.99", "--jump", "alpha"))).toMatch(
      /no SSH host key: its jump host alpha .* opened no connection to 192\.168\.77\.99 port 22/,
    );
  });

  test("host add asks for the key that the machine shows through its jump host", async () => {
    const words = [
      "host.ts add",
      `root@${inner.beta}`,
      "lab --jump alpha --identity-file",
      alpha.identityFile,
    ];
    const scripts = join(import.meta.dirname, "../../scripts");
    const terminal = openTerminal(`${process.execPath} ${scripts}/${words.join(" ")}`, {
      cwd: workspace.folder,
      env: workspace.env,
    });
    const shown = await terminal.seen(/Is it the same\?/);
    expect(shown).toContain(`root@${inner.beta} (through alpha) shows this host key:\n\n  ${beta.hostKey}`);
    terminal.type("yes");
    expect(ok(await terminal.ended)).toContain("beta is in Pulumi.lab.yaml now");
    expect(hosts().beta).toMatchObject({
      address: inner.beta,
      user: "root",
      jump: "alpha",
      hostKey: beta.hostKey,
      release: expect.stringContaining("Debian"),
    });
    expect(hosts().beta).not.toHaveProperty("port");

    const login = `root@${inner.gamma}`;
    expect(await refused(add(login, "--jump", "alpha", "--yes", "--host-key", beta.hostKey))).toContain(
      `it shows ${gamma.hostKey}`,
    );
    ok(await add(login, "--jump", "alpha", "--yes", "--host-key", gamma.hostKey));
    expect(await refused(add(login, "--jump", "alpha", "--yes", "--host-key", gamma.hostKey))).toContain(
      "as gamma",
    );
  });

  test("what the operator's ssh config says of the way is the way, also for who brings the machine up", async () => {
    const env = { HOME: homeOfOperator() };
    const script = (name: string, ...words: string[]) => {
      const path = join(import.meta.dirname, `../../scripts/${name}.ts`);
      return workspace.start(process.execPath, [path, ...words], env).ended;
    };
    const key = ["--yes", "--host-key", gamma.hostKey];
    const output = ok(await script("host", "add", "rack-jump", "other", "--name", "by-jump", ...key));
    expect(output).toContain("by-jump (ops@rack-jump, through gate)");
    expect(hosts("other")["by-jump"]).toMatchObject({ address: "rack-jump", user: "ops", port: 2222 });
    expect(text("other")).toContain(
      `# Whoever runs up needs this in ~/.ssh/config: HostName ${inner.gamma}, the way through gate for rack-jump.\n`,
    );
    expect(text("other")).toContain(`# groupAddress: ${inner.gamma}\n`);

    ok(await script("host", "add", "root@rack-command", "other", "--name", "by-command", ...key));
    expect(hosts("other")["by-command"]).toMatchObject({ address: "rack-command", user: "root" });
    expect(text("other")).toContain("the way through a ProxyCommand for rack-command");
    const jump = `ops@${alpha.address}`;
    const words = [`root@${inner.gamma}`, "other", "--name", "by-login", "--jump", jump];
    ok(await script("host", "add", ...words, "--identity-file", gamma.identityFile, ...key));
    expect(hosts("other")["by-login"]).toMatchObject({ address: inner.gamma, jump });

    const read = ok(await script("host", "refresh", "other"));
    for (const name of ["by-jump", "by-command", "by-login"]) expect(read).toContain(`${name}: as it was`);
  });

  test("up brings the machines there with what host add wrote, and refresh reads them", async () => {
    ok(await workspace.script("up", "lab", "--yes"));
    expect(ok(await workspace.script("host", "refresh", "lab"))).toContain("gamma: as it was");
  });

  test("npm run ssh gets through, with user, key and pin of each machine on the way", async () => {
    const script = join(import.meta.dirname, "../../scripts/ssh.ts");
    expect(ok(await ssh("beta", "id -un; uname -n"))).toMatch(/^root\nbeta\n/);
    expect(ok(await ssh("beta", "echo $SSH_CONNECTION"))).toContain(`${inner.alpha} `);
    expect(await ssh("gamma", "exit 7")).toMatchObject({ exitCode: 7 });

    const terminal = openTerminal(`${process.execPath} ${script} lab gamma`, {
      cwd: workspace.folder,
      env: workspace.env,
    });
    await terminal.seen(/gamma:~# $/);
    terminal.type("tty && exit 3");
    await terminal.seen(/\/dev\/pts\/\d+/);
    expect((await terminal.ended).exitCode).toBe(3);

    // Through two of the inventory, and with a private key that stands in the credentials.
    const before = text();
    const folder = join(workspace.folder, "a place of its own");
    mkdirSync(folder);
    const path = "gpuhost:credentials.alpha.privateKey";
    const key = readFileSync(alpha.identityFile, "utf8");
    const set = ["config", "set", "--stack", "lab", "--secret", "--path", "--", path, key];
    ok(await workspace.pulumi(...set));
    const entries = text()
      .replace(/( {4}alpha:\n[\s\S]*?) +identityFile: .*\n/, "$1")
      .replace(/( {4}gamma:\n[\s\S]*?)jump: alpha\n/, "$1jump: beta\n");
    writeFileSync(file(), entries);
    expect(hosts().gamma.jump).toBe("beta");
    const env = { XDG_RUNTIME_DIR: folder };
    const words = ["lab", "gamma", "echo $SSH_CONNECTION; sleep 300"];
    const running = workspace.start(process.execPath, [script, ...words], env);
    await running.seen(new RegExp(`${inner.beta} \\d+ ${inner.gamma} 22`));
    const [used = ""] = readdirSync(folder);
    const files = readdirSync(join(folder, used));
    expect(files.sort()).toEqual(["jump_hosts", "key-1", "known_hosts", "known_hosts-1", "known_hosts-2"]);
    for (const name of files) expect(statSync(join(folder, used, name)).mode & 0o777).toBe(0o600);
    running.child.kill("SIGINT");
    await running.ended;
    expect(readdirSync(folder)).toEqual([]);

    // A jump host that shows another key is not passed.
    writeFileSync(file(), entries.replace(alpha.hostKey, beta.hostKey));
    expect(await refused(ssh("gamma", "true"))).toContain("is not the one we know");
    writeFileSync(file(), before);
  });

  test("logs come from behind the jump host", async () => {
    const output = ok(await workspace.script("logs", "lab", "chat", "--lines", "20"));
    expect(output).toMatch(/^beta .*llama-server/m);
    expect(output).toMatch(/^gamma /m);
  });

  test("verify asks from the jump host, and says so", async () => {
    const output = ok(await workspace.script("verify", "lab", "--json"));
    const { results } = JSON.parse(output.slice(output.indexOf("{"))) as {
      results: Record<string, unknown>[];
    };
    expect(results.filter(({ type }) => type === "from outside")).toEqual([]);
    const through = results.filter(({ type }) => type === "through alpha");
    expect(through).toMatchObject([
      { host: "beta", name: expect.stringContaining("to answer a completion"), label: "passed" },
      { host: "beta", name: expect.stringContaining("to refuse a client"), label: "passed" },
      { host: "gamma", name: expect.stringMatching(/RPC worker: .* closed to strangers/), label: "passed" },
      { host: "gamma", name: expect.stringMatching(/member endpoint: .* closed to/), label: "passed" },
    ]);
  });

  test("a port that stands open there, and a service that does not answer, are told", async () => {
    await gamma.exec("nft flush ruleset");
    await beta.exec("systemctl stop llama-server-chat.service");
    const { exitCode, output } = await workspace.script("verify", "lab");
    expect(exitCode).toBe(1);
    expect(output).toMatch(new RegExp(`alpha could connect to ${inner.gamma} port \\d+`));
    expect(output).toContain(`no answer at http://${inner.beta}:8080 from alpha: Connection refused`);
  });
});
