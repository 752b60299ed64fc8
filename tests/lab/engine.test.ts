import { globSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { local } from "#lab/local.ts";
import { spaceOf } from "#lab/network.ts";
import { slotOf } from "#lab/slot.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { failed, ok } from "#tests/support/ended.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { traces } from "#tests/support/traces.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";

/**
 * What can go wrong around an `up`, with the real engine: two hosts that get their base and no service, which
 * is quick. One story: each test goes on where the last ended. That two stacks share a host while their items
 * are disjoint is in contract.test.ts.
 */

let lab: Lab;
let workspace: Workspace;
let alpha: LabHost;
let beta: LabHost;
let bare: readonly string[];

/** Neither is on a bare host, so that apt has something to do. */
const packages = ["jq", "tree"];

const tracesOf = (...hosts: LabHost[]) => Promise.all(hosts.map((host) => host.exec(traces)));

const configure = (hosts: Record<string, unknown>, base: Record<string, unknown> = {}) =>
  workspace.configure("lab", { "gpuhost:hosts": hosts, "gpu-hosts:base": { packages, ...base } });

/** Plain `pulumi up` without its preview. */
const pulumiUp = (...args: string[]) =>
  workspace.pulumi("up", "--yes", "--skip-preview", "--stack", "lab", ...args);

async function inSync(): Promise<void> {
  ok(await workspace.script("drift", "lab"));
  ok(await pulumiUp("--expect-no-changes"));
}

const both = () => ({ alpha: inventoryEntry(alpha), beta: inventoryEntry(beta) });

/** Our resources as the state has them. */
async function resources() {
  const exported = ok(await workspace.pulumi("stack", "export", "--stack", "lab"));
  const { deployment } = JSON.parse(exported) as {
    deployment: { resources: { type: string; urn: string; inputs: { host?: string }; outputs: unknown }[] };
  };
  return deployment.resources
    .filter(({ type }) => type.startsWith("gpuhost:"))
    .map(({ urn, inputs, outputs }) => ({ urn, host: inputs.host, inputs, outputs }));
}

const locks = () => globSync(join(workspace.folder, "state/.pulumi/locks/**/*.json"));

async function pendingOperations(): Promise<string[]> {
  const { deployment } = JSON.parse(ok(await workspace.pulumi("stack", "export", "--stack", "lab")));
  return (deployment.pending_operations ?? []).map(({ type }: { type: string }) => type);
}

/** Gives a host another address, as its site's DHCP would. */
async function setAddress({ name }: LabHost, address: string): Promise<void> {
  const slot = slotOf(Number(lab.gateway.split(".")[2]));
  const space = spaceOf(
    slot,
    lab.hosts.findIndex((host) => host.name === name),
  );
  const input = `address flush dev eth0\naddress add ${address}/24 dev eth0\n`;
  await local("ip", ["-n", space, "-batch", "-"], { input });
}

/** Lets root of a host log in with this key only. */
async function authorize({ name }: LabHost, identityFile: string): Promise<void> {
  const file = join(lab.dir, "hosts", name, "root/root/.ssh/authorized_keys");
  await writeFile(file, await readFile(`${identityFile}.pub`));
}

describeLab("around an up", () => {
  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "bookworm" },
      ],
    });
    alpha = lab.host("alpha");
    beta = lab.host("beta");
    workspace = createWorkspace();
  });

  afterAll(async () => {
    await lab?.stop();
    workspace?.remove();
  });

  test("a wrong configuration is refused at preview, all of it at once, before any host is asked", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, "0.0.0.0");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const entry = { platform: "linux", address: "127.0.0.1", port };
    const model = { repo: "lab/tiny", revision: "0".repeat(40), files: { "tiny.gguf": "0".repeat(64) } };
    const big = {
      engine: "llamacpp",
      leader: "alpha",
      workers: ["beta"],
      model,
      port: 8080,
      apiKey: "x".repeat(20),
    };
    await workspace.configure("lab", {
      "gpuhost:hosts": { alpha: { ...entry, adress: "10.0.0.1" }, beta: { ...entry, address: "127.0.0.2" } },
      "gpu-hosts:base": { packages: ["Not A Package"] },
      "gpu-hosts:services": {
        big: { ...big, workers: ["beta", "gamma"] },
        chat: { ...big, workers: [], port: "8081" },
        twin: { ...big, workers: [] },
      },
    });
    const output = failed(await workspace.pulumi("preview", "--stack", "lab"));
    server.close();
    for (const line of [
      "no host was touched",
      "hosts.alpha.adress: is not a known key; did you mean address?",
      "base.packages[0]: must be a package name",
      "services.big.workers[1]: gamma is no host of gpuhost:hosts",
      "services.chat.port: must be a number",
      "services.twin.port: port 8080 on alpha is taken by",
    ]) {
      expect(output).toContain(line);
    }
    expect(output).not.toMatch(/^\s+at .*\.ts:/m);
    expect(connections).toBe(0);
  });

  test("a create that fails half-way names its cause, leaves the other host complete and can be destroyed", async () => {
    // To this host's apt the package does not exist.
    const pin = "/etc/apt/preferences.d/lab";
    await alpha.exec(`printf 'Package: jq\nPin: release *\nPin-Priority: -1\n' > ${pin}`);
    const before = await tracesOf(alpha, beta);
    await configure(both());
    const output = failed(await pulumiUp("--continue-on-error"));
    expect(output).toMatch(/alpha \(root@.*\), AptPackages alpha-packages: /);
    expect(output).toContain("E: Package 'jq' has no installation candidate");
    expect(await beta.exec("jq --version; nft list table inet gpu_hosts")).toContain("jq-1");

    ok(await workspace.pulumi("destroy", "--yes", "--skip-preview", "--stack", "lab"));
    expect(await tracesOf(alpha, beta)).toEqual(before);
    await alpha.exec(`rm ${pin}`);
    bare = await tracesOf(alpha, beta);
  });

  test("an up killed at any time, provider and all, is finished by the next one", async () => {
    const first = workspace.startPulumi("up", "--yes", "--skip-preview", "--stack", "lab");
    await first.seen(/alpha-files creating .* write /);
    await first.kill();

    // Pulumi's own advice, without our script.
    expect(failed(await pulumiUp())).toContain("pulumi cancel");
    ok(await workspace.pulumi("cancel", "--yes", "--stack", "lab"));
    const second = workspace.startPulumi("up", "--yes", "--skip-preview", "--stack", "lab");
    await second.seen(/alpha-packages creating .*Unpacking/);
    await second.kill();

    const third = workspace.startScript("up", "lab", "--yes");
    await third.seen(/alpha-firewall creating .* connect anew/);
    await third.kill();
    const { output } = await third.ended;
    expect(output).toContain("was killed and left the stack locked: unlocking it");
    expect(output).toMatch(/an earlier run was killed at: .*creating alpha-packages.*; this run finishes it/);

    ok(await workspace.script("up", "lab", "--yes"));
    expect(locks()).toEqual([]);
    expect(await pendingOperations()).toEqual([]);
    await inSync();
    expect(await alpha.exec("systemctl list-timers --no-legend 'gpu-hosts-*'; dpkg --audit")).toBe("");
  });

  test("a package that does not exist is named, with what it may be, on every host", async () => {
    await configure(both(), { packages: ["jq", "no-such-package"] });
    const output = failed(await pulumiUp());
    for (const { name } of lab.hosts) {
      expect(output).toMatch(new RegExp(`${name} \\(root@[\\d.]+\\), AptPackages ${name}-packages: `));
    }
    expect(output).toContain(
      "no-such-package: in none of the package lists of Debian GNU/Linux 12 (bookworm)",
    );
  });

  test("Ctrl-C ends an up in order; the next one, with the package taken out, finishes", async () => {
    await configure(both());
    const up = workspace.startScript("up", "lab", "--yes");
    await up.seen(/alpha-packages updating .* wait for apt/);
    process.kill(-(up.child.pid ?? 0), "SIGINT");
    expect(failed(await up.ended)).toContain("AptPackages alpha-packages: stopped by Ctrl-C after ");
    expect(locks()).toEqual([]);
    expect(await pendingOperations()).toEqual([]);
    ok(await pulumiUp());
    ok(await workspace.script("drift", "lab"));
  });

  test("a host that is off: refresh keeps its state and goes on with the others, a preview warns", async () => {
    const before = await resources();
    await beta.powerOff();
    await alpha.exec("echo '# by hand' >> /etc/sysusers.d/gpu-hosts.conf");
    // Pulumi ends with 0 here whatever a provider says; that something is wrong shows in the next preview.
    const refresh = ok(await workspace.pulumi("refresh", "--yes", "--skip-preview", "--stack", "lab"));
    for (const name of ["beta-files", "beta-packages", "beta-firewall"]) {
      expect(refresh).toMatch(
        new RegExp(`${name}\\):\\s+warning: Refreshed resource is in an unhealthy state:\\s+\\* beta`),
      );
    }
    const after = await resources();
    expect(after.filter(({ host }) => host === "beta")).toEqual(before.filter(({ host }) => host === "beta"));
    const files = after.find(({ urn }) => urn.endsWith("alpha-files"));
    expect(JSON.stringify(files?.inputs)).toContain("# by hand");

    const preview = failed(await workspace.pulumi("preview", "--stack", "lab", "--expect-no-changes"));
    expect(preview).toMatch(/warning: not compared with the host: beta \(root@/);
    expect(preview).not.toMatch(/not compared with the host: alpha/);
    expect(preview).toMatch(/beta-files update/);

    await beta.powerOn();
    ok(await pulumiUp());
  });

  test("what is wrong beside the inputs is shown by refresh and preview, and repaired by a plain up", async () => {
    await alpha.exec("systemctl disable gpu-hosts-firewall.service");
    const sentence = 'boot: "gpu-hosts-firewall.service is not enabled"';
    const refresh = ["refresh", "--yes", "--skip-preview", "--diff", "--stack", "lab"];
    expect(ok(await workspace.pulumi(...refresh))).toContain(sentence);
    // The second sees nothing new, and hides nothing either.
    ok(await workspace.pulumi(...refresh));
    expect(failed(await workspace.pulumi("preview", "--stack", "lab", "--expect-no-changes"))).toMatch(
      /alpha-firewall update \[diff: -findings\]/,
    );
    expect(ok(await workspace.pulumi("preview", "--diff", "--stack", "lab"))).toContain(sentence);
    expect(failed(await workspace.script("drift", "lab"))).toContain(
      "boot: gpu-hosts-firewall.service is not enabled",
    );
    ok(await pulumiUp());
    expect(await alpha.exec("systemctl is-enabled gpu-hosts-firewall.service")).toBe("enabled\n");
    await inSync();
  });

  test("a changed address and a rotated key replace nothing", async () => {
    const address = alpha.address.replace(/\d+$/, "99");
    const identityFile = join(workspace.folder, "rotated");
    await local("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", identityFile]);
    await setAddress(alpha, address);
    await authorize(beta, identityFile);
    await configure({
      alpha: inventoryEntry(alpha, { address }),
      beta: inventoryEntry(beta, { identityFile }),
    });
    const refresh = ok(await workspace.pulumi("refresh", "--yes", "--skip-preview", "--stack", "lab"));
    expect(refresh).not.toContain("warning");
    await inSync();
    await setAddress(alpha, alpha.address);
    await authorize(beta, beta.identityFile);
  });

  test("a second stack is refused what the first one owns, by name, before anything changes", async () => {
    const before = await tracesOf(alpha);
    await workspace.configure("other", { "gpuhost:hosts": { alpha: inventoryEntry(alpha) } });
    const output = failed(await workspace.pulumi("preview", "--stack", "other"));
    expect(output).toMatch(/file \/etc\/\S+ belongs to stack gpu-hosts\/lab \(urn:pulumi:lab::/);
    expect(output).toContain("take it out of one of them");
    expect(await tracesOf(alpha)).toEqual(before);
  });

  test("a host leaves by retire: its parts go, then its entry; without it both ways out are shown", async () => {
    await configure({ alpha: inventoryEntry(alpha, { retire: true }), beta: inventoryEntry(beta) });
    ok(await pulumiUp());
    expect(await tracesOf(alpha)).toEqual(bare.slice(0, 1));

    await configure({});
    const refused = failed(await pulumiUp());
    expect(refused).toContain("gpuhost:hosts has no beta");
    expect(refused).toContain("retire: true");
    expect(refused).toContain("retire: gone");
    expect(await resources()).toHaveLength(3);

    await beta.powerOff();
    await configure({ beta: inventoryEntry(beta, { retire: "gone" }) });
    const forgotten = ok(await pulumiUp());
    for (const name of ["Files beta-files", "AptPackages beta-packages", "Firewall beta-firewall"]) {
      expect(forgotten).toContain(`warning: beta is gone: ${name} is forgotten, nothing was removed`);
    }
    expect(await resources()).toEqual([]);
    await configure({});
    ok(await pulumiUp("--expect-no-changes"));
  });
});
