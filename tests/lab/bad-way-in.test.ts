import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { local } from "#lab/local.ts";
import { runsOn } from "#tests/support/bad-run.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * One host cannot be got into; the other is finished in the same run. Whatever it is, nothing was touched: a
 * plain error.
 */

describeLab("a host that lets nobody in", () => {
  let lab: Lab;
  let workspace: Workspace;
  let alpha: LabHost;
  let runs: ReturnType<typeof runsOn>;
  const file = { type: "Files", inputs: { files: { "/etc/lab-file": { content: "there\n" } } } };

  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "bookworm" },
      ],
    });
    alpha = lab.host("alpha");
    runs = runsOn(alpha, lab.host("beta"));
    workspace = createWorkspace();
  });

  afterAll(async () => {
    await lab?.stop();
    workspace?.remove();
  });

  test("an address that does not resolve: the whole up as an operator sees it", async () => {
    const configure = (address: string) =>
      workspace.configure("lab", {
        "gpuhost:hosts": {
          alpha: inventoryEntry(alpha, { address }),
          beta: inventoryEntry(lab.host("beta")),
        },
      });
    await configure("rack1.gpu-hosts.invalid");
    const up = await workspace.script("up", "lab", "--yes");
    expect(up.exitCode, up.output).toBe(1);
    expect(up.output).toContain(
      "error: alpha (root@rack1.gpu-hosts.invalid), Files alpha-files: the name rack1.gpu-hosts.invalid cannot be resolved\n" +
        "      correct hosts.alpha.address, or look at your DNS",
    );
    expect(up.output).toMatch(/not compared with the host: alpha \(root@rack1/);
    expect(up.output, "a stack trace tells an operator nothing").not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect(await lab.host("beta").exec("nft list tables; ls /etc/needrestart/conf.d")).toBe(
      "table inet gpu_hosts\ngpu-hosts.conf\n",
    );
    const { output } = await workspace.pulumi("stack", "export", "--stack", "lab");
    expect(output).toContain("::beta-firewall");
    expect(output).not.toContain("::alpha-files");

    await configure(alpha.address);
    const next = await workspace.script("up", "lab", "--yes");
    expect(next.exitCode, next.output).toBe(0);
    const drift = await workspace.script("drift", "lab");
    expect(drift.exitCode, drift.output).toBe(0);
    const gone = await workspace.pulumi("destroy", "--yes", "--skip-preview", "--stack", "lab");
    expect(gone.exitCode, gone.output).toBe(0);
  });

  test("a wrong port: waited for as for a host that boots, then told what to try", async () => {
    const { message, unhealthy, lines } = await runs.fails({ ...file, entry: { port: 2022 } });
    expect(lines.join("\n")).toMatch(/alpha \(root@.*:2022\) does not answer yet: .*ECONNREFUSED/);
    expect(message).toMatch(/no SSH login at [\d.]+ port 2022 after \d+ tries in \d+ s: .*ECONNREFUSED/);
    expect(message).toMatch(/does sshd run there\? try: ssh -p 2022 root@[\d.]+$/);
    expect(unhealthy).toBeUndefined();
    await runs.succeeds(file);
  });

  test("a wrong key: the keys that were tried, and where the right one goes", async () => {
    const key = join(lab.dir, "stranger");
    await local("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const run = { ...file, entry: { identityFile: key } };
    const { message, unhealthy } = await runs.fails(run);
    expect(message).toContain("port 22 let root in with no key");
    expect(message).toContain(`tried ${key}`);
    expect(message).toMatch(
      /\n {2}put a public key into ~root\/\.ssh\/authorized_keys there; check hosts\.alpha\.user and identityFile/,
    );
    expect(unhealthy).toBeUndefined();

    const { stdout } = { stdout: await local("cat", [`${key}.pub`]) };
    await alpha.exec("cat >> /root/.ssh/authorized_keys", { input: stdout });
    await runs.succeeds(run);
  });

  test("a changed host key: both fingerprints, why it may be, and what to set once it was compared", async () => {
    // A second SSH server is what a machine that was installed anew looks like.
    await alpha.exec(`ssh-keygen -q -t ed25519 -N '' -f /root/other-host-key
      systemd-run -q --unit=other-sshd /usr/sbin/sshd -D -p 2223 -h /root/other-host-key
      for i in $(seq 100); do ss -Hltn 'sport = :2223' | grep -q . && break; sleep 0.1; done`);
    const shown = (await alpha.exec("ssh-keygen -lf /root/other-host-key.pub")).split(" ")[1] ?? "";
    const { message, unhealthy } = await runs.fails({ ...file, entry: { port: 2223 } });
    expect(message).toContain("port 2223 is not the one we know");
    expect(message).toContain(`it shows ${shown}`);
    expect(message).toContain(`expected ${alpha.hostKey} (hosts.alpha.hostKey)`);
    expect(message).toMatch(/compare on the host itself: ssh-keygen -lf /);
    expect(message.endsWith(`if it is right, set hosts.alpha.hostKey: "${shown}"`)).toBe(true);
    expect(unhealthy).toBeUndefined();
    await runs.succeeds({ ...file, entry: { port: 2223, hostKey: shown } });
  });

  test("a user without sudo: what sudo said, and the two ways out; a preview warns and goes on", async () => {
    await alpha.exec(`useradd --create-home plain
      install -d -m 700 -o plain ~plain/.ssh && install -m 600 -o plain /root/.ssh/authorized_keys ~plain/.ssh/`);
    const run = { ...file, entry: { user: "plain" } };
    const { message, unhealthy } = await runs.fails(run);
    expect(message).toMatch(/sudo asks plain for a password\n +sudo: a password is required/);
    expect(message).toMatch(
      /set credentials\.alpha\.sudoPassword as a secret, or give plain a NOPASSWD rule in \/etc\/sudoers\.d$/,
    );
    expect(unhealthy).toBeUndefined();
    const warnings = await runs.previewed(run);
    expect(warnings).toMatch(/^not compared with the host: alpha \(plain@[\d.]+\): sudo asks plain/);

    await alpha.exec("echo 'plain ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/plain");
    await runs.succeeds(run);
  });
});
