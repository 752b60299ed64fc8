import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Credentials, type HostEntry, hostEntry } from "#inventory/inventory.ts";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { local } from "#lab/local.ts";
import type { AnyDefinition, Config } from "#provider/contract/resource.ts";
import { converge } from "#provider/converge/converge.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { actingOn } from "#tests/support/machine.ts";
import { sh } from "#transport/command.ts";
import { HostError } from "#transport/errors.ts";
import type { Machine } from "#transport/host.ts";
import { openPool, type Pool } from "#transport/pool.ts";

/** Letters that a shell, sudo's prompt or the wire might take for something else. */
const testPassword = `p'a"s\\s $w !o%r d;ü`;

/** Users of the first host by name: login shell, and lines of sudoers. */
const testUsers: Record<string, { shell: string; sudo?: string[] }> = {
  fishy: { shell: "/usr/bin/fish", sudo: ["NOPASSWD: ALL"] },
  cesh: { shell: "/bin/tcsh", sudo: ["ALL"] },
  lectured: { shell: "/bin/bash", sudo: ["ALL", "!lecture_file, lecture=always"] },
  onterm: { shell: "/usr/bin/fish", sudo: ["NOPASSWD: ALL", "requiretty"] },
  typist: { shell: "/bin/tcsh", sudo: ["ALL", "requiretty, lecture=always"] },
  nosudo: { shell: "/bin/bash" },
  expired: { shell: "/bin/bash", sudo: ["NOPASSWD: ALL"] },
  nologin: { shell: "/usr/sbin/nologin" },
};

/**
 * A user is made with its shell, the password, the lab's key, and a shell start that prints on both streams.
 */
const userAdd = (
  name: string,
  { shell, sudo: [rule, defaults] = [] }: { shell: string; sudo?: string[] },
) => `
useradd --create-home --shell ${shell} ${name}
cp -r /home/ops/.ssh /home/${name}/ && chown -R ${name} /home/${name}/.ssh
mkdir -p /home/${name}/.config/fish
for file in .bashrc .cshrc .config/fish/config.fish; do echo 'echo welcome; echo careful | cat' > /home/${name}/$file; done
${rule === undefined ? "" : `echo '${name} ALL=(ALL) ${rule}' > /etc/sudoers.d/${name}`}
${defaults === undefined ? "" : `echo 'Defaults:${name} ${defaults}' >> /etc/sudoers.d/${name}`}
`;

describeLab("ways in", () => {
  let lab: Lab;
  let alpha: LabHost;
  let beta: LabHost;
  const pools: Pool[] = [];

  beforeAll(async () => {
    lab = await startLab({
      hosts: [
        { name: "alpha", release: "bookworm" },
        { name: "beta", release: "forky" },
      ],
    });
    [alpha, beta] = [lab.host("alpha"), lab.host("beta")];
    await alpha.exec("apt-get -q update && apt-get -qy install --no-install-recommends fish tcsh", {
      timeoutSeconds: 200,
    });
    const users = Object.entries(testUsers).map(([name, user]) => userAdd(name, user));
    await alpha.exec(`set -e\n${users.join("")}\nchage -d 0 expired`);
    await alpha.exec("chpasswd", {
      input: Object.keys(testUsers)
        .map((name) => `${name}:${testPassword}\n`)
        .join(""),
    });
    await alpha.exec("chage -d 0 expired");
    await beta.exec("echo 'Defaults:ops requiretty' >> /etc/sudoers.d/ops");
    // A second network, on which only the two hosts are: a cable from one to the other.
    const slot = alpha.address.split(".")[2];
    const [left, right] = [`ghl${slot}-1`, `ghl${slot}-2`];
    await local("ip", [
      "-n",
      left,
      "link",
      "add",
      "inner",
      "type",
      "veth",
      "peer",
      "name",
      "inner",
      "netns",
      right,
    ]);
    for (const [space, address] of [
      [left, "192.168.77.1/24"],
      [right, "192.168.77.2/24"],
    ] as const) {
      await local("ip", ["-n", space, "address", "add", address, "dev", "inner"]);
      await local("ip", ["-n", space, "link", "set", "inner", "up"]);
    }
  });
  // Each run takes the machine's lock.
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
  });
  afterAll(async () => {
    await lab?.stop();
  });

  const entryOf = (
    { address, hostKey, identityFile }: LabHost,
    more: Partial<HostEntry> = {},
  ): HostEntry => ({
    ...hostEntry.parse({ platform: "linux", address, hostKey, identityFile, sshConfig: false }),
    ...more,
  });
  async function reach(hosts: Record<string, HostEntry>, name: string, credentials: Credentials = {}) {
    const pool = openPool({ hosts, credentials: { [name]: credentials } });
    pools.push(pool);
    return await pool.reach(name, { withinSeconds: 30 });
  }
  async function machineOf(
    hosts: Record<string, HostEntry>,
    name: string,
    credentials: Credentials = {},
  ): Promise<Machine> {
    const reached = await reach(hosts, name, credentials);
    if (reached.state !== "reachable") throw new Error(JSON.stringify(reached));
    return reached.host;
  }
  const errorOf = async (work: Promise<unknown>): Promise<HostError> => {
    const error = await work.then(
      (value) => new Error(`it should have failed: ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    );
    if (!(error instanceof HostError)) throw error;
    return error;
  };

  /**
   * Whatever lies between, the far shell is root's, and bytes pass both ways unchanged on their own stream.
   */
  async function works(machine: Machine) {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 256));
    const sum = createHash("sha256").update(bytes).digest("hex");
    const finished = await machine.run(sh`id -u; sha256sum; printf 'a\\r\\nb\\003' >&2; exit 3`, {
      stdin: bytes,
    });
    expect(finished).toEqual({ exitCode: 3, stdout: `0\n${sum}  -\n`, stderr: "a\r\nb\u0003" });
    const runs = await Promise.all([1, 2, 3].map((i) => machine.run(sh`echo ${i}`)));
    expect(runs.map(({ stdout }) => stdout)).toEqual(["1\n", "2\n", "3\n"]);
    await machine.lock("lab test");
    expect((await machine.run(sh`echo locked`)).stdout).toBe("locked\n");
  }

  test.each([
    ["fish as login shell that prints", "fishy", undefined],
    ["csh as login shell that prints, a password of special characters", "cesh", testPassword],
    ["a lecture before the password", "lectured", testPassword],
    ["requiretty, behind fish", "onterm", undefined],
    ["requiretty, behind csh, with lecture and password", "typist", testPassword],
  ])("%s", async (_, user, sudoPassword) => {
    const credentials = sudoPassword === undefined ? {} : { sudoPassword };
    const machine = await machineOf({ alpha: entryOf(alpha, { user }) }, "alpha", credentials);
    await works(machine);
    const everyone = sh`cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\n' | grep -cFf /dev/fd/4`;
    const { stdout } = await machine.run(sh`exec 4<&0; ${everyone} || true`, {
      stdin: `${testPassword.slice(1, 9)}\n`,
    });
    expect(stdout).toBe("0\n");
  });

  test.each<[string, string, Credentials, RegExp, RegExp]>([
    [
      "a wrong password",
      "cesh",
      { sudoPassword: "wrong-one" },
      /sudo refused the password of cesh/,
      /credentials\.alpha\.sudoPassword/,
    ],
    [
      "a password that nobody set",
      "cesh",
      {},
      /sudo asks cesh for a password/,
      /credentials\.alpha\.sudoPassword/,
    ],
    [
      "a user without sudo",
      "nosudo",
      { sudoPassword: testPassword },
      /nosudo may not use sudo/,
      /usermod -aG sudo nosudo/,
    ],
    ["an expired password", "expired", {}, /the password of expired has expired/, /passwd expired/],
    [
      "a login shell that lets nobody in",
      "nologin",
      {},
      /the login shell of nologin lets nobody in/,
      /usermod/,
    ],
  ])("%s is told, with the way out", async (_, user, credentials, what, hint) => {
    const machine = await machineOf({ alpha: entryOf(alpha, { user }) }, "alpha", credentials);
    const error = await errorOf(machine.run(sh`true`));
    expect(error.message).toMatch(/^alpha \(.*@10\.97\./);
    expect(error.message).toMatch(what);
    expect(error.hint).toMatch(hint);
    expect(error.message).not.toContain("wrong-one");
  });

  test("a host on a network that only another host reaches, and sudo there wants a terminal", async () => {
    const hosts = {
      alpha: entryOf(alpha, { user: "ops" }),
      beta: entryOf(beta, { user: "ops", address: "192.168.77.2", jump: "alpha" }),
    };
    const machine = await machineOf(hosts, "beta");
    await works(machine);
    expect((await machine.run(sh`uname -n`)).stdout).toBe("beta\n");
    // As a login outside of the inventory, in a chain, it would need known_hosts: the key of each hop is
    // asked for.
    const unknown = await reach({ beta: { ...hosts.beta, jump: `ops@${alpha.address}` } }, "beta");
    expect(unknown.state === "unreachable" && unknown.error.message).toMatch(
      /its jump host ops@10\.97\..*cannot be used/,
    );
  });

  test("a host that loses power in the middle of a step says so; the next run goes on", async () => {
    const machine = await machineOf({ beta: entryOf(beta) }, "beta");
    const definition: AnyDefinition = aptPackages;
    const want = definition.inputs.parse({ packages: { tcsh: "any" } }) as Config;
    const claimant = { stack: "lab/test", urn: "urn:pulumi:test::lab::gpuhost:index:AptPackages::it" };
    const up = (on: Machine, said?: string[]) =>
      converge({ definition, claimant, want, last: undefined }, actingOn(on, said));
    // dpkg is in the middle of it when the power goes.
    await beta.exec(`printf '#!/bin/sh\\nsleep 60\\n' > /usr/local/bin/slow && chmod 755 /usr/local/bin/slow
echo 'DPkg::Pre-Install-Pkgs {"/usr/local/bin/slow";};' > /etc/apt/apt.conf.d/99slow; apt-get -q update`);
    const first = errorOf(up(machine));
    await expect
      .poll(() => beta.tryExec("pgrep -x slow"), { timeout: 60_000 })
      .toMatchObject({ exitCode: 0 });
    await beta.kill();
    const error = await first;
    expect(error).toMatchObject({ kind: "lost", host: "beta" });
    expect(error.message).toMatch(/while running: .*apt-get/s);
    expect(error.hint).toMatch(/rebooted.*run it again/);

    await beta.powerOn();
    await beta.exec("rm /etc/apt/apt.conf.d/99slow");
    await up(machine);
    expect(await beta.exec("dpkg --list tcsh")).toMatch(/^ii {2}tcsh /m);
  });

  test("sshd that restarts leaves a command alone; a refused root login is told", async () => {
    const machine = await machineOf({ beta: entryOf(beta) }, "beta");
    const begun = Promise.withResolvers<void>();
    const running = machine.run(sh`echo begun; sleep 3; echo done`, { onLine: () => begun.resolve() });
    await begun.promise;
    await beta.exec(
      "echo 'PermitRootLogin no' > /etc/ssh/sshd_config.d/00-root.conf; systemctl restart ssh",
      { user: "root" },
    );
    expect((await running).stdout).toBe("begun\ndone\n");
    const refused = await reach({ beta: entryOf(beta) }, "beta");
    expect(refused.state === "unreachable" && refused.error.message).toMatch(
      /let root in with no key[\s\S]*PermitRootLogin/,
    );
  });
});
