import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { ok, refusals } from "#tests/support/ended.ts";
import { installNvidiaSmi } from "#tests/support/nvidia-smi.ts";
import { openTerminal } from "#tests/support/terminal.ts";
import { startWindowsSshd } from "#tests/support/windows-sshd.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * From an address to an inventory that the engine works with, in one story: each test goes on where the last
 * ended.
 */

let lab: Lab;
let alpha: LabHost;
let workspace: Workspace;

const script = join(import.meta.dirname, "../../scripts/host.ts");
const file = () => join(workspace.folder, "Pulumi.lab.yaml");
const text = () => readFileSync(file(), "utf8");
const hosts = () => parse(text()).config["gpuhost:hosts"];

const host = (...args: string[]) => workspace.script("host", ...args);
const add = (login: string, ...options: string[]) =>
  host("add", login, "lab", "--identity-file", alpha.identityFile, ...options);
const onTerminal = (login: string, ...options: string[]) => {
  const words = [
    process.execPath,
    script,
    "add",
    login,
    "lab",
    "--identity-file",
    alpha.identityFile,
    ...options,
  ];
  return openTerminal(words.join(" "), { cwd: workspace.folder, env: workspace.env });
};

const refused = refusals(file);

const password = "hunter2-of-ops";

describeLab("host add", () => {
  beforeAll(async () => {
    lab = await startLab({ hosts: [{ name: "alpha", release: "bookworm" }] });
    alpha = lab.host("alpha");
    workspace = createWorkspace();
    // A second network, and a second sshd whose host the inventory may take for another machine.
    await alpha.exec("ip address add 192.168.77.11/24 dev eth0");
    await alpha.exec("systemd-run --unit=second-sshd /usr/sbin/sshd -D -p 2222");
  });
  afterAll(async () => {
    workspace?.remove();
    await lab?.stop();
  });

  test("a stack that is not there is refused with the command that makes it", async () => {
    const { exitCode, output } = await add(`root@${alpha.address}`);
    expect(exitCode).toBe(1);
    expect(output).toContain("npx pulumi stack init lab");
    ok(await workspace.pulumi("stack", "init", "lab"));
    expect(text()).toMatch(/^encryptionsalt: /);
    // As an operator leaves it.
    writeFileSync(
      file(),
      `# The lab's machines.\n${text()}config:\n  gpu-hosts:base: {packages:   [tree]} # odd\n`,
    );
  });

  test("where nobody can be asked the key is shown and nothing happens", async () => {
    for (const options of [[], ["--yes"]]) {
      const output = await refused(add(`root@${alpha.address}`, ...options));
      expect(output).toContain(`-- --yes --host-key ${alpha.hostKey}`);
      expect(output).toContain("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    }
    const wrong = `SHA256:${"A".repeat(43)}`;
    const output = await refused(add(`root@${alpha.address}`, "--yes", "--host-key", wrong));
    expect(output).toContain(`it shows ${alpha.hostKey}`);
    expect(output).toContain(`expected ${wrong}`);
  });

  test("words that make no sense are refused before any machine is looked at", async () => {
    expect(await refused(host("add", alpha.address, "lab"))).toContain("the login user is missing");
    expect(await refused(host("add", "root@[fd00::1", "lab"))).toContain("written user@address");
    expect(await refused(host("add", "root@nowhere.invalid", "lab"))).toContain("cannot be resolved");
    expect(await refused(host("add", "root@127.0.0.1:1", "lab"))).toContain("ECONNREFUSED");
    expect(await refused(host("remove", "x", "lab"))).toContain("usage: npm run host add");
    expect(await refused(add(`root@${alpha.address}`, "--name", "Rack 1"))).toContain("lower case letters");
  });

  test("a Windows PC is told apart before the login", async () => {
    const pc = await startWindowsSshd();
    try {
      const output = await refused(host("add", `admin@127.0.0.1:${pc.port}`, "lab"));
      expect(output).toContain("is a Windows PC");
      expect(output).toContain("WSL");
    } finally {
      await pc.close();
    }
  });

  test("on a terminal it asks; without a yes nothing is written", async () => {
    const before = text();
    const terminal = onTerminal(`root@${alpha.address}`);
    await terminal.seen(new RegExp(alpha.hostKey.replaceAll("+", "\\+")));
    await terminal.seen(/Compare it on the machine itself: ssh-keygen -lf .*\n.*Is it the same\?/);
    terminal.type("y");
    const { exitCode, output } = await terminal.ended;
    expect(exitCode).toBe(1);
    expect(output).toContain("was not confirmed");

    const stopped = onTerminal(`root@${alpha.address}`);
    await stopped.seen(/Is it the same\?/);
    stopped.press("\u0003");
    expect((await stopped.ended).exitCode).toBe(1);
    expect(text()).toBe(before);
  });

  test("yes writes a commented entry; every other byte of the file stays", async () => {
    const before = text();
    const terminal = onTerminal(`root@${alpha.address}`);
    await terminal.seen(/Is it the same\?/);
    terminal.type("yes");
    const output = ok(await terminal.ended);
    expect(output).toContain("alpha is in Pulumi.lab.yaml now");
    expect(output).toContain("no NVIDIA GPU");
    expect(output).toContain("root by root login");

    expect(text().startsWith(before)).toBe(true);
    expect(text()).toContain("      # groupAddress: 192.168.77.11\n");
    expect(hosts().alpha).toEqual({
      platform: "linux",
      address: alpha.address,
      user: "root",
      hostKey: alpha.hostKey,
      identityFile: alpha.identityFile,
      release: "Debian GNU/Linux 12 (bookworm)",
      architecture: expect.any(String),
      cpuCores: expect.any(Number),
      memoryGiB: expect.any(Number),
      diskGiB: expect.any(Number),
      gpus: [],
    });
  });

  test("the entry is one that the engine works with", async () => {
    const output = ok(await workspace.script("plan", "lab"));
    expect(output).toContain("alpha");
    expect(output).toContain("tree");
  });

  test("an address or a name that is taken is refused", async () => {
    const output = await refused(add(`ops@${alpha.address}`));
    expect(output).toContain("as alpha");
    expect(output).toContain("npm run host refresh lab alpha");
    expect(await refused(add(`ops@${alpha.address}:2222`, "--yes", "--host-key", alpha.hostKey))).toContain(
      "alpha is the name of",
    );
  });

  test("a script adds a user with sudo, at another port", async () => {
    const options = ["--name", "by-port", "--yes", "--host-key", alpha.hostKey];
    const output = ok(await add(`ops@${alpha.address}:2222`, ...options));
    expect(output).toContain("root by sudo without a password");
    expect(output).toContain("alpha has the same host key");
    expect(hosts()["by-port"]).toMatchObject({ user: "ops", port: 2222 });
  });

  test("sudo's password is asked for without echo, and how to store it is said", async () => {
    await alpha.exec("echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops; chpasswd", {
      input: `ops:${password}\n`,
    });
    const key = ["--yes", "--host-key", alpha.hostKey];
    // By name, so that it is another address.
    const login = `ops@${alpha.address}`;
    writeFileSync(
      file(),
      text().replace(`address: ${alpha.address}\n      user: root`, "address: 192.0.2.1\n      user: root"),
    );
    const silent = await refused(add(login, ...key, "--name", "asking"));
    const store = "npx pulumi config set --stack lab --secret --path gpuhost:credentials.asking.sudoPassword";
    expect(silent).toContain(store);

    const terminal = onTerminal(login, "--host-key", alpha.hostKey, "--name", "asking");
    await terminal.seen(/sudo password of .* \(not shown\): /);
    terminal.type(password);
    const output = ok(await terminal.ended);
    expect(output).toContain("root by sudo with a password");
    expect(output).toContain(store);
    expect(output).not.toContain(password);
    expect(text()).not.toContain(password);
    expect(hosts().asking).toMatchObject({ user: "ops", gpus: [] });
  });

  test("refresh reads again with the stored password, prints what changed and keeps comments", async () => {
    const path = "gpuhost:credentials.asking.sudoPassword";
    ok(await workspace.pulumi("config", "set", "--stack", "lab", "--secret", "--path", path, password));
    const before = text();
    expect(ok(await host("refresh", "lab", "asking"))).toContain("asking: as it was");
    expect(text()).toBe(before);

    await installNvidiaSmi(alpha);
    const right = hosts().asking.memoryGiB;
    writeFileSync(file(), before.replace(/(asking:[\s\S]*?memoryGiB:) .*/, "$1 1 # two of four slots"));
    const output = ok(await host("refresh", "lab", "asking"));
    expect(output).toContain("gpus: [] -> ");
    expect(output).toContain(`memoryGiB: 1 -> ${right}`);
    expect(text()).toContain(`memoryGiB: ${right} # two of four slots\n`);
    expect(hosts().asking.gpus).toEqual([
      { model: "NVIDIA GeForce RTX 4090", memoryGiB: 24, computeCapability: "8.9", uuid: "GPU-5d3c0e8a" },
    ]);
    expect(ok(await workspace.pulumi("config", "--stack", "lab"))).toContain("RTX 4090");
  });

  test("a machine that shows another key, or does not answer, is told and hides no other", async () => {
    const { exitCode, output } = await host("refresh", "lab");
    expect(exitCode).toBe(1);
    expect(output).toContain("192.0.2.1 port 22");
    expect(output).toContain("asking: as it was");

    const other = `SHA256:${"B".repeat(43)}`;
    const right = text();
    writeFileSync(file(), right.replaceAll(alpha.hostKey, other));
    for (const command of [
      host("refresh", "lab", "asking"),
      workspace.script("ssh", "lab", "asking", "true"),
    ]) {
      const said = await refused(command);
      expect(said).toContain("is not the one we know");
      expect(said).toContain(alpha.hostKey);
      expect(said).toContain(other);
    }
    writeFileSync(file(), right);
  });

  test("npm run ssh opens the operator's ssh with the key that is pinned", async () => {
    expect(ok(await workspace.script("ssh", "lab", "asking", "id", "-un"))).toContain("ops");
    expect(await workspace.script("ssh", "lab", "asking", "--", "exit 7")).toMatchObject({ exitCode: 7 });
    expect(ok(await workspace.script("ssh", "lab", "by-port", "echo $SSH_CONNECTION"))).toContain(" 2222\n");
    expect(await refused(workspace.script("ssh", "lab", "nobody"))).toContain(
      "it has: alpha, asking, by-port",
    );
    const terminal = openTerminal(
      `${process.execPath} ${join(import.meta.dirname, "../../scripts/ssh.ts")} lab asking`,
      { cwd: workspace.folder, env: workspace.env },
    );
    await terminal.seen(/\$ $/);
    terminal.type("tty && exit 3");
    await terminal.seen(/\/dev\/pts\/\d+/);
    expect((await terminal.ended).exitCode).toBe(3);
  });

  test("a private key in the credentials is used, and gone from the disk afterwards", async () => {
    const folder = join(workspace.folder, "run");
    mkdirSync(folder);
    workspace.env.XDG_RUNTIME_DIR = folder;
    const key = readFileSync(alpha.identityFile, "utf8");
    const path = "gpuhost:credentials.by-port.privateKey";
    const set = ["config", "set", "--stack", "lab", "--secret", "--path", "--", path, key];
    ok(await workspace.pulumi(...set));
    writeFileSync(file(), text().replace(/(by-port:[\s\S]*?) +identityFile: .*\n/, "$1"));
    expect(hosts()["by-port"].identityFile).toBeUndefined();
    const running = workspace.startScript("ssh", "lab", "by-port", "echo here; sleep 300");
    await running.seen(/here/);
    const [used = ""] = readdirSync(folder);
    expect(statSync(join(folder, used, "key")).mode & 0o777).toBe(0o600);
    // As npm does at Ctrl-C where there is no terminal.
    running.child.kill("SIGINT");
    expect((await running.ended).output).not.toContain("PRIVATE KEY");
    expect(readdirSync(folder)).toEqual([]);
  });
});
