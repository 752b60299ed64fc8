import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Credentials, HostEntry } from "#inventory/inventory.ts";
import { type ShellCommand, sh } from "./command.ts";
import { HostError } from "./errors.ts";
import type { Fact, Finished, Machine, Reach } from "./host.ts";
import { openPool, type Pool } from "./pool.ts";
import { describeOnSshd } from "./testing/describe-on-sshd.ts";
import { type SlowProxy, startSlowProxy } from "./testing/slow-proxy.ts";
import { startSshd, type TestSshd } from "./testing/sshd.ts";

// Real servers on a machine that may be busy, and links that are slow on purpose.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function sshdWith(...settings: string[]): Promise<TestSshd> {
  const sshd = await startSshd(settings);
  cleanups.push(() => sshd.remove());
  return sshd;
}

/** A home directory of an operator, with an ssh config. */
function homeWith(config = ""): string {
  const home = mkdtempSync(join(tmpdir(), "gpu-hosts-home-"));
  cleanups.push(() => rmSync(home, { recursive: true }));
  mkdirSync(join(home, ".ssh"));
  writeFileSync(join(home, ".ssh", "config"), config);
  return home;
}

interface Given {
  readonly home?: string;
  readonly agent?: string;
  readonly credentials?: Record<string, Credentials>;
}

function poolOf(
  hosts: Record<string, HostEntry>,
  { home = homeWith(), agent, credentials = {} }: Given = {},
): Pool {
  const pool = openPool({ hosts, credentials }, { home, agent });
  cleanups.push(() => pool.close());
  return pool;
}

async function machineIn(pool: Pool, name: string, withinSeconds = 20): Promise<Machine> {
  const reach = await pool.reach(name, { withinSeconds });
  if (reach.state !== "reachable") throw new Error(errorIn(reach).message);
  return reach.host;
}

function errorIn(reach: Reach): HostError {
  if (reach.state !== "unreachable" || !(reach.error instanceof HostError))
    throw new Error(JSON.stringify(reach));
  return reach.error;
}

const errorOf = async (work: Promise<unknown>): Promise<HostError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HostError)) throw new Error(`it should have failed: ${String(error)}`);
  return error;
};

/** Starts a command that says `begun`, and resolves when it has; what it comes to is in `over`. */
async function begin(machine: Machine, command: ShellCommand): Promise<{ readonly over: Promise<Finished> }> {
  const begun = Promise.withResolvers<void>();
  const over = machine.run(sh`echo begun; ${command}`, { onLine: () => begun.resolve() });
  over.catch(() => undefined);
  await Promise.race([begun.promise, over]);
  return { over };
}

/** How many connections some servers have, once those that just ended are gone. */
const serving = (servers: readonly TestSshd[], counts: readonly number[]) =>
  vi.waitFor(() => expect(servers.map((sshd) => sshd.connections())).toEqual(counts), { timeout: 20_000 });

describeOnSshd("jump hosts", () => {
  let bastion: TestSshd;
  let inner: TestSshd;
  beforeAll(async () => {
    [bastion, inner] = await Promise.all([startSshd(), startSshd()]);
  });
  afterAll(() => Promise.all([bastion.remove(), inner.remove()]));

  /** A login line for a jump host outside the inventory, which the operator's files know. */
  const outside = (sshd: TestSshd) => `root@127.0.0.1:${sshd.port}`;
  const knowing = (...servers: TestSshd[]) => {
    const home = homeWith(servers.map(({ folder }) => `IdentityFile ${join(folder, "login")}\n`).join(""));
    writeFileSync(
      join(home, ".ssh", "known_hosts"),
      servers.map(({ hostKeyLine }) => `${hostKeyLine}\n`).join(""),
    );
    return home;
  };

  test("a host behind another of the inventory; all behind it share one connection to it", async () => {
    const behind = (address: string) => inner.entry({ address, jump: "bastion" });
    const entries = { one: behind("127.0.0.1"), two: behind("localhost"), three: behind("::1") };
    const pool = poolOf({ bastion: bastion.entry(), ...entries });
    const machines = await Promise.all(["one", "two", "three"].map((name) => machineIn(pool, name)));
    const answers = await Promise.all(machines.map((machine) => machine.run(sh`echo here`)));
    expect(answers.map(({ stdout }) => stdout)).toEqual(["here\n", "here\n", "here\n"]);
    await serving([bastion], [1]);
    await serving([inner], [3]);
    // The jump host can be worked on through the same connection.
    expect((await (await machineIn(pool, "bastion")).run(sh`echo too`)).stdout).toBe("too\n");
    await serving([bastion], [1]);
  });

  test("a chain: host of the inventory, then a login outside of it, each key verified", async () => {
    const middle = await sshdWith();
    const home = knowing(middle);
    const entry = inner.entry({ jump: ["bastion", outside(middle)] });
    const machine = await machineIn(poolOf({ bastion: bastion.entry(), rack1: entry }, { home }), "rack1");
    expect((await machine.run(sh`echo far`)).stdout).toBe("far\n");
    await serving([bastion, middle], [1, 1]);

    rmSync(join(home, ".ssh", "known_hosts"));
    const error = errorIn(
      await poolOf({ bastion: bastion.entry(), rack1: entry }, { home }).reach("rack1", { withinSeconds: 3 }),
    );
    expect(error).toMatchObject({ kind: "key", host: "rack1" });
    expect(error.message).toContain(
      `its jump host ${outside(middle)} (${outside(middle)}) cannot be used: the SSH host key`,
    );
    expect(error.hint).toContain("known_hosts");
  });

  test("ProxyJump of the ssh config, by alias and through an alias of its own", async () => {
    const middle = await sshdWith();
    const home = knowing(bastion, middle);
    const port = (sshd: TestSshd) => `HostName 127.0.0.1\nPort ${sshd.port}\n`;
    writeFileSync(
      join(home, ".ssh", "config"),
      `Host rack1\n${port(inner)}ProxyJump middle
Host middle\n${port(middle)}IdentityFile ${join(middle.folder, "login")}\nProxyJump door
Host door\n${port(bastion)}IdentityFile ${join(bastion.folder, "login")}\n`,
    );
    const { port: _, ...entry } = inner.entry({ address: "rack1" });
    const machine = await machineIn(poolOf({ rack1: entry }, { home }), "rack1");
    expect(machine.target).toBe(`root@127.0.0.1:${inner.port}`);
    expect((await machine.run(sh`echo far`)).stdout).toBe("far\n");
    await serving([bastion, middle], [1, 1]);

    // What the entry says wins: no jump host.
    const direct = await machineIn(poolOf({ rack1: { ...entry, jump: [] } }, { home }), "rack1");
    expect((await direct.run(sh`echo near`)).stdout).toBe("near\n");
    await serving([bastion, middle], [1, 1]);
  });

  test("jump hosts of the ssh config that go in a circle are told, and do not hang", async () => {
    const home = homeWith("Host rack1\nProxyJump a\nHost a\nProxyJump b\nHost b\nProxyJump a\n");
    const { port: _, ...entry } = inner.entry({ address: "rack1" });
    const error = errorIn(await poolOf({ rack1: entry, rack2: entry }, { home }).reach("rack1"));
    expect(error.message).toContain("go in a circle: a → b → a");
  });

  test("each error says which machine on the way failed", async () => {
    const nobody = poolOf({ bastion: bastion.entry({ port: 1 }), rack1: inner.entry({ jump: "bastion" }) });
    const off = errorIn(await nobody.reach("rack1", { withinSeconds: 1 }));
    expect(off).toMatchObject({ kind: "unreachable", host: "rack1" });
    expect(off.message).toMatch(
      /through bastion after \d+ tr.*its jump host bastion \(root@127\.0\.0\.1:1\) does not answer: connect ECONNREFUSED/,
    );

    const entries = { bastion: bastion.entry(), rack1: inner.entry({ jump: "bastion", port: 1 }) };
    const dark = errorIn(await poolOf(entries).reach("rack1", { withinSeconds: 1 }));
    expect(dark.message).toMatch(
      /its jump host bastion .* opened no connection to 127\.0\.0\.1 port 1: .*refused/,
    );

    const named = {
      bastion: bastion.entry(),
      rack1: inner.entry({ jump: "bastion", address: "rack1.invalid" }),
    };
    const unknown = errorIn(await poolOf(named).reach("rack1", { withinSeconds: 20 }));
    expect(unknown.message).toMatch(
      /bastion .* opened no connection to rack1\.invalid.*\n.*must be known on the jump host/,
    );

    const stranger = join(bastion.folder, "stranger");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", stranger]);
    const shut = poolOf({
      bastion: bastion.entry({ identityFile: stranger }),
      rack1: inner.entry({ jump: "bastion" }),
    });
    const refused = errorIn(await shut.reach("rack1", { withinSeconds: 5 }));
    expect(refused).toMatchObject({ kind: "auth", host: "rack1" });
    expect(refused.message).toMatch(/its jump host bastion .* cannot be used: .*let root in with no key/);

    const own = errorIn(
      await poolOf({
        bastion: bastion.entry(),
        rack1: inner.entry({ jump: "bastion", hostKey: bastion.fingerprint }),
      }).reach("rack1"),
    );
    expect(own.message).toContain(`expected ${bastion.fingerprint} (hosts.rack1.hostKey)`);
    expect(own.message).not.toContain("jump host");
  });

  test("a jump host that forwards nothing names the setting", async () => {
    const closed = await sshdWith("AllowTcpForwarding no");
    const error = errorIn(
      await poolOf({ bastion: closed.entry(), rack1: inner.entry({ jump: "bastion" }) }).reach("rack1"),
    );
    expect(error).toMatchObject({ kind: "refused", host: "rack1" });
    expect(error.hint).toContain("AllowTcpForwarding");
  });

  test("an inventory whose jumps go in a circle is refused here as well", async () => {
    const pool = poolOf({
      a: inner.entry({ jump: "b" }),
      b: inner.entry({ jump: "a" }),
      c: inner.entry({ jump: "b", address: "::1" }),
    });
    const reaches = await Promise.all(["a", "b", "c"].map((name) => pool.reach(name)));
    expect(reaches.map((reach) => errorIn(reach).what)).toEqual([
      "hosts.a.jump: goes in a circle: a → b → a",
      "hosts.b.jump: goes in a circle: b → a → b",
      "hosts.b.jump: goes in a circle: b → a → b",
    ]);
  });

  test("when the jump host's connection breaks, those behind say so, and find their way again", async () => {
    const pool = poolOf({ bastion: bastion.entry(), rack1: inner.entry({ jump: "bastion" }) });
    const machine = await machineIn(pool, "rack1");
    const { over } = await begin(machine, sh`sleep 20`);
    bastion.dropConnections();
    expect((await errorOf(over)).message).toMatch(
      /rack1 .*(broke|closed by the host, or by its jump host bastion).*while running: echo begun/s,
    );
    expect((await machine.run(sh`echo again`)).stdout).toBe("again\n");
  });

  test("a new connection of the jump host lets what runs through the old one end", async () => {
    const pool = poolOf({ bastion: bastion.entry(), rack1: inner.entry({ jump: "bastion" }) });
    const machine = await machineIn(pool, "rack1");
    const { over } = await begin(machine, sh`sleep 1.5; echo done`);
    await (await machineIn(pool, "bastion")).reconnect(20);
    expect((await over).stdout).toBe("begun\ndone\n");
    expect((await machine.run(sh`echo still`)).stdout).toBe("still\n");
  });
});

describeOnSshd("the operator's ssh config", () => {
  let sshd: TestSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.remove());
  const alias = (changes: Partial<HostEntry> = {}): HostEntry => {
    const { port: _p, user: _u, hostKey: _k, identityFile: _i, ...entry } = sshd.entry({ address: "rack1" });
    return { ...entry, ...changes };
  };
  const config = (more = "") => `Host rack1
  HostName 127.0.0.1
  Port ${sshd.port}
  User root
  IdentityFile ${join(sshd.folder, "login")}
  ${more}
`;
  const reach = (home: string, entry: HostEntry = alias(), given: Given = {}) =>
    poolOf({ rack1: entry }, { home, ...given }).reach("rack1", { withinSeconds: 5 });

  test("an alias with all there is to say", async () => {
    const known = join(sshd.folder, "known");
    writeFileSync(known, `${sshd.hostKeyLine}\n`);
    const home = homeWith(config(`UserKnownHostsFile ${sshd.folder}/nowhere ${known}`));
    const machine = await machineIn(poolOf({ rack1: alias() }, { home }), "rack1");
    expect(machine.target).toBe(`root@127.0.0.1:${sshd.port}`);
    expect((await machine.run(sh`echo here`)).stdout).toBe("here\n");
  });

  test("HostKeyAlias names the line in known_hosts", async () => {
    const home = homeWith(config("HostKeyAlias the-rack"));
    expect(errorIn(await reach(home)).kind).toBe("key");
    writeFileSync(join(home, ".ssh", "known_hosts"), `the-rack ${sshd.hostKeyLine.replace(/^\S+ /, "")}\n`);
    expect((await reach(home)).state).toBe("reachable");
  });

  test("what the entry says wins; sshConfig: false asks nobody", async () => {
    const wrong = `Host *\nHostName 192.0.2.1\nPort 1\nUser nobody\nIdentityFile /nonexistent\n`;
    const pinned = { hostKey: sshd.fingerprint, identityFile: join(sshd.folder, "login") };
    const entry = alias({ address: "127.0.0.1", port: sshd.port, user: "root", ...pinned });
    expect((await reach(homeWith(wrong.replace(/HostName .*\n/, "")), entry)).state).toBe("reachable");
    expect((await reach(homeWith(wrong), { ...entry, sshConfig: false })).state).toBe("reachable");
  });

  test("a config that ssh refuses is told in its words, with both ways out", async () => {
    const error = errorIn(await reach(homeWith("Host rack1\n  Prot 22\n")));
    expect(error.kind).toBe("config");
    expect(error.message).toMatch(
      /config: line 2: Bad configuration option: prot[\s\S]*hosts\.rack1\.sshConfig: false/,
    );
  });

  test("without an ssh command the entry alone counts", async () => {
    vi.stubEnv("PATH", "/nonexistent");
    cleanups.push(() => vi.unstubAllEnvs());
    const entry = sshd.entry();
    expect((await reach(homeWith("Host *\nPort 1\n"), entry)).state).toBe("reachable");
  });

  test("a ProxyCommand is the connection, and ends with it", async () => {
    const mark = join(sshd.folder, "proxy-pid");
    const relay = `bash -c 'echo $$ >${mark}; exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill %%1'`;
    const home = homeWith(config(`ProxyCommand ${relay}`));
    const pool = poolOf({ rack1: alias({ hostKey: sshd.fingerprint }) }, { home });
    const machine = await machineIn(pool, "rack1");
    expect((await machine.run(sh`echo here`)).stdout).toBe("here\n");
    const proxy = `/proc/${readFileSync(mark, "utf8").trim()}`;
    expect(existsSync(proxy)).toBe(true);
    await pool.close();
    await vi.waitFor(() => expect(existsSync(proxy)).toBe(false), { timeout: 10_000 });
  });

  test("a ProxyCommand that fails is told with what it said", async () => {
    const home = homeWith(config("ProxyCommand sh -c 'echo no tunnel today >&2; exit 4'"));
    const error = errorIn(await reach(home, alias({ hostKey: sshd.fingerprint })));
    expect(error.message).toMatch(
      /ProxyCommand of your ssh config ended \(exit code 4\)[\s\S]*no tunnel today/,
    );
  });

  test("a certificate for the login that we cannot use is named where the login fails", async () => {
    const home = homeWith(config(`CertificateFile %d/id-cert.pub`).replace("/login\n", "/host\n"));
    const error = errorIn(await reach(home, alias({ hostKey: sshd.fingerprint })));
    expect(error.kind).toBe("auth");
    expect(error.message).toContain(`not tried: the certificate ${home}/id-cert.pub`);
  });
});

describeOnSshd("keys", () => {
  async function agentWith(...keys: string[]): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-agent-"));
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    cleanups.push(() => {
      agent.kill();
      rmSync(folder, { recursive: true });
    });
    await vi.waitFor(() => expect(existsSync(socket)).toBe(true), { timeout: 20_000 });
    for (const key of keys)
      execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    return socket;
  }
  const keysIn = (folder: string, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const path = join(folder, `other${i}`);
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
      return path;
    });

  test("an agent logs in; one with more keys than the server hears out logs in with the one that is named", async () => {
    const sshd = await sshdWith("MaxAuthTries 3");
    const login = join(sshd.folder, "login");
    const { identityFile: _, ...entry } = sshd.entry();
    const agent = await agentWith(login);
    expect((await poolOf({ rack1: entry }, { agent }).reach("rack1")).state).toBe("reachable");

    const full = await agentWith(...keysIn(sshd.folder, 4), login);
    expect(
      errorIn(await poolOf({ rack1: entry }, { agent: full }).reach("rack1", { withinSeconds: 2 })).message,
    ).toContain("more keys than it takes");
    rmSync(login);
    const named = { ...entry, identityFile: `${login}.pub` };
    expect((await poolOf({ rack1: named }, { agent: full }).reach("rack1")).state).toBe("reachable");
    const home = homeWith(`IdentityFile ${login}.pub\nIdentitiesOnly yes\nIdentityAgent ${full}\n`);
    expect((await poolOf({ rack1: entry }, { home }).reach("rack1")).state).toBe("reachable");
  });

  test("an agent that is gone does not keep a key file from logging in", async () => {
    const sshd = await sshdWith();
    const home = homeWith();
    cpSync(join(sshd.folder, "login"), join(home, ".ssh", "id_ed25519"));
    const { identityFile: _, ...entry } = sshd.entry();
    const agent = join(home, "no-agent");
    expect((await poolOf({ rack1: entry }, { home, agent }).reach("rack1", { withinSeconds: 5 })).state).toBe(
      "reachable",
    );
  });

  test("host key, login key and address that were rotated between two runs", async () => {
    const sshd = await sshdWith();
    const [old, fresh] = [sshd.entry(), join(sshd.folder, "fresh")];
    expect((await poolOf({ rack1: old }).reach("rack1")).state).toBe("reachable");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", fresh]);
    cpSync(`${fresh}.pub`, join(sshd.folder, "authorized_keys"));
    const shut = errorIn(await poolOf({ rack1: old }).reach("rack1", { withinSeconds: 5 }));
    expect(shut).toMatchObject({ kind: "auth" });
    const rotated = { ...old, identityFile: fresh };
    expect((await poolOf({ rack1: rotated }).reach("rack1")).state).toBe("reachable");

    await sshd.stop();
    rmSync(join(sshd.folder, "host"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(sshd.folder, "host")]);
    await sshd.start();
    const changed = errorIn(await poolOf({ rack1: rotated }).reach("rack1"));
    expect(changed).toMatchObject({ kind: "key" });
    const pin = /set hosts\.rack1\.hostKey: "(.*)"/.exec(changed.hint ?? "")?.[1];
    const repinned = { ...rotated, hostKey: pin, address: "::1" };
    expect((await poolOf({ rack1: repinned }).reach("rack1")).state).toBe("reachable");
  });
});

describeOnSshd("an sshd that is short of room", () => {
  test("one session a connection: runs, questions and the lock work, each new connection as well", async () => {
    const sshd = await sshdWith("MaxSessions 1");
    const pool = poolOf({ gpu1: sshd.entry() });
    const host = await machineIn(pool, "gpu1");
    const runs = () => Promise.all(Array.from({ length: 12 }, (_, i) => host.run(sh`echo ${i}`)));
    const numbers = Array.from({ length: 12 }, (_, i) => `${i}\n`);
    expect((await runs()).map(({ stdout }) => stdout)).toEqual(numbers);
    await host.lock("me");
    expect((await runs()).map(({ stdout }) => stdout)).toEqual(numbers);
    await serving([sshd], [2]);
    const other = await machineIn(poolOf({ gpu1: sshd.entry() }), "gpu1");
    expect((await errorOf(other.lock("other", 0))).message).toContain("by me");

    await host.reconnect(20);
    expect((await errorOf(other.lock("other", 0))).message).toContain("by me");
    sshd.dropConnections();
    await vi.waitFor(async () => expect((await host.run(sh`echo back`)).stdout).toBe("back\n"), {
      timeout: 20_000,
    });
    expect((await errorOf(other.lock("other", 0))).message).toContain("by me");

    await pool.close();
    await other.lock("other", 20);
  });

  test("the lock behind a jump host with one session a connection", async () => {
    const [bastion, inner] = await Promise.all([sshdWith("MaxSessions 1"), sshdWith("MaxSessions 1")]);
    const pool = poolOf({ bastion: bastion.entry(), gpu1: inner.entry({ jump: "bastion" }) });
    const [outer, host] = [await machineIn(pool, "bastion"), await machineIn(pool, "gpu1")];
    await host.lock("me");
    const answers = await Promise.all([outer.run(sh`echo outer`), host.run(sh`echo inner`)]);
    expect(answers.map(({ stdout }) => stdout)).toEqual(["outer\n", "inner\n"]);
  });

  test("more connections at once than it takes: all get in, in time", async () => {
    const sshd = await sshdWith("MaxStartups 2:100:2");
    const pools = Array.from({ length: 8 }, () => poolOf({ gpu1: sshd.entry() }));
    const machines = await Promise.all(pools.map((pool) => machineIn(pool, "gpu1", 60)));
    const answers = await Promise.all(machines.map((machine) => machine.run(sh`echo here`)));
    expect(answers.filter(({ stdout }) => stdout === "here\n")).toHaveLength(8);
  });
});

describeOnSshd("a slow link: 300 ms there and back, 100 kB/s", () => {
  let sshd: TestSshd;
  let link: SlowProxy;
  let host: Machine;
  beforeAll(async () => {
    sshd = await startSshd();
    link = await startSlowProxy(sshd.port, { delayMs: 150, bytesPerSecond: 100_000 });
  });
  afterAll(async () => {
    await link.close();
    await sshd.remove();
  });

  test("a login under way is waited for, beyond the time that a silent host gets", async () => {
    const pool = poolOf({ gpu1: sshd.entry({ port: link.port }) });
    const start = performance.now();
    const reach = await pool.reach("gpu1", { withinSeconds: 1 });
    expect(reach.state).toBe("reachable");
    expect(performance.now() - start).toBeGreaterThan(1000);
  });

  test("many questions, a large file both ways, the lock, a new connection", async () => {
    host = await machineIn(poolOf({ gpu1: sshd.entry({ port: link.port }) }), "gpu1", 5);
    const fact = (i: number): Fact<string> => ({
      name: `fact ${i}`,
      command: sh`echo ${i} ${"x".repeat(2000)}`,
      timeoutSeconds: 3,
      parse: ({ stdout }) => stdout.split(" ")[0] ?? "",
    });
    const facts = Array.from({ length: 60 }, (_, i) => host.ask(fact(i)));
    expect(await Promise.all(facts)).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
    await host.lock("me");

    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));
    const path = join(sshd.folder, "large");
    const writing = host.writeFile(path, bytes, { mode: "0600", owner: "root:root" });
    await Promise.all([writing, host.run(sh`true`, { timeoutSeconds: 2 })]);
    expect((await host.readFile(path))?.equals(bytes)).toBe(true);
    await host.reconnect(20);
    expect((await host.run(sh`echo here`, { timeoutSeconds: 2 })).stdout).toBe("here\n");
  });

  test("the time limit of a command counts on the host, not on the link", async () => {
    host = await machineIn(poolOf({ gpu1: sshd.entry({ port: link.port }) }), "gpu1", 5);
    const stdin = Buffer.alloc(1_100_000, "x");
    expect((await host.run(sh`wc -c`, { stdin, timeoutSeconds: 2 })).stdout.trim()).toBe("1100000");
  });
});

describeOnSshd("a host that goes away in the middle", () => {
  test("cut in the middle of a batch: questions are asked again, a run is not, and says so", async () => {
    const sshd = await sshdWith();
    const link = await startSlowProxy(sshd.port, { delayMs: 5, bytesPerSecond: 10_000_000 });
    cleanups.push(() => link.close());
    const host = await machineIn(poolOf({ gpu1: sshd.entry({ port: link.port }) }), "gpu1");
    const marks = join(sshd.folder, "marks");
    const fact = (i: number): Fact<string> => ({
      name: `fact ${i}`,
      command: sh`echo ${i} >>${marks}; [ ${i} -ne 2 ] || [ $(grep -cx 2 ${marks}) -gt 1 ] || sleep 20; echo ${i}`,
      parse: ({ stdout }) => stdout.trim(),
    });
    const run = await begin(host, sh`sleep 20`);
    const facts = Array.from({ length: 5 }, (_, i) => host.ask(fact(i)));
    await vi.waitFor(() => expect(readFileSync(marks, "utf8")).toContain("2"), { timeout: 20_000 });
    link.cut();
    expect(await Promise.all(facts)).toEqual(["0", "1", "2", "3", "4"]);
    const error = await errorOf(run.over);
    expect(error).toMatchObject({ kind: "lost", host: "gpu1" });
    expect(error.message).toContain("while running: echo begun");
    expect(error.hint).toContain("run it again");
    expect((await host.run(sh`echo back`)).stdout).toBe("back\n");
  });

  test("a link that is down for a while is told while it lasts, a command that says nothing is not", async () => {
    const sshd = await sshdWith();
    const link = await startSlowProxy(sshd.port, { delayMs: 5, bytesPerSecond: 10_000_000 });
    cleanups.push(() => link.close());
    const said: Record<string, string[]> = { cut: [], quiet: [] };
    const runOn = async (name: "cut" | "quiet", port: number) => {
      const host = await machineIn(poolOf({ [name]: sshd.entry({ port }) }), name);
      const stop = host.watch((line) => said[name]?.push(line));
      const { over } = await begin(host, sh`sleep 17; echo done`);
      return { over, stop };
    };
    const [cut, quiet] = await Promise.all([runOn("cut", link.port), runOn("quiet", sshd.port)]);
    link.isDown = true;
    await sleep(17_000);
    link.isDown = false;
    for (const { over, stop } of [cut, quiet]) {
      expect((await over).stdout).toBe("begun\ndone\n");
      stop();
    }
    expect(said.cut?.[0]).toMatch(
      /^cut \(root@127.0.0.1:\d+\): no answer for 1\d s; its connection may be down, waiting …$/,
    );
    expect(said.quiet).toEqual([]);
  });

  test("sshd that restarts leaves what runs alone; the next connection finds it", async () => {
    const sshd = await sshdWith();
    const host = await machineIn(poolOf({ gpu1: sshd.entry() }), "gpu1");
    const { over } = await begin(host, sh`sleep 2; echo done`);
    await sshd.restart();
    expect((await over).stdout).toBe("begun\ndone\n");
    await host.reconnect(20);
    expect((await host.run(sh`echo new`)).stdout).toBe("new\n");
  });
});
