import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Credentials, HostEntry } from "#inventory/inventory.ts";
import { ps, sh } from "./command.ts";
import { HostError } from "./errors.ts";
import type { Fact, Machine, Reach } from "./host.ts";
import { fingerprintOf } from "./host-keys/host-key.ts";
import { openPool, type Pool } from "./pool.ts";
import type { SshHost } from "./ssh-host.ts";
import { describeOnSshd } from "./testing/describe-on-sshd.ts";
import { startSshd, type TestSshd } from "./testing/sshd.ts";

// Real servers on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const pools: Pool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

function poolOf(entry: HostEntry, home: string, credentials: Credentials = {}): Pool {
  const pool = openPool(
    { hosts: { gpu1: entry }, credentials: { gpu1: credentials } },
    { home, agent: undefined },
  );
  pools.push(pool);
  return pool;
}

async function hostOf(pool: Pool, name = "gpu1"): Promise<SshHost> {
  const reach = await pool.reach(name, { withinSeconds: 5 });
  if (reach.state !== "reachable") throw new Error(`not reachable: ${JSON.stringify(reach)}`);
  return reach.host as SshHost;
}

async function errorOf(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    (value) => new Error(`it should have failed, and gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof HostError)) throw error;
  return error;
}

function errorIn(reach: Reach): HostError {
  if (reach.state !== "unreachable" || !(reach.error instanceof HostError))
    throw new Error(JSON.stringify(reach));
  return reach.error;
}

/** A server that accepts connections and never says a word. */
function listenSilently(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
  });
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

const stdout = (command: Fact<string>["command"], timeoutSeconds = 20): Fact<string> => ({
  name: "stdout",
  command,
  timeoutSeconds,
  parse: (finished) => finished.stdout,
});

describeOnSshd("a host on an ordinary sshd", () => {
  let sshd: TestSshd;
  let pool: Pool;
  let host: SshHost;
  beforeAll(async () => {
    sshd = await startSshd();
    pool = openPool(
      { hosts: { gpu1: sshd.entry() }, credentials: {} },
      { home: sshd.folder, agent: undefined },
    );
    host = await hostOf(pool);
  });
  afterAll(async () => {
    await pool.close();
    await sshd.remove();
  });

  test("a command runs as root in a known environment, whatever its exit code", async () => {
    const finished = await host.run(sh`id -u; pwd; umask; echo "$LC_ALL $HOME"; echo oops >&2; exit 3`);
    expect(finished).toEqual({ exitCode: 3, stdout: "0\n/\n0022\nC /root\n", stderr: "oops\n" });
  });

  test("nasty strings survive quoting, shells and the wire", async () => {
    const nasty = [
      "it's",
      "a\\b",
      "$HOME `id` $(id)",
      "line\nbreak\n",
      "größe 漢字 🎉",
      "*",
      '"',
      "",
      "\u0001\r\t",
    ];
    const { stdout } = await host.run(sh`printf '%s\\0' ${nasty}`);
    expect(stdout.split("\0").slice(0, -1)).toEqual(nasty);
  });

  test("stdin arrives byte for byte and is not in any argument list", async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 256));
    const { stdout } = await host.run(
      sh`sha256sum; grep -c hunter[2] /proc/[0-9]*/cmdline | grep -v ':0$' || true`,
      {
        stdin: Buffer.concat([bytes, Buffer.from("hunter2")]),
      },
    );
    const hash = createHash("sha256").update(bytes).update("hunter2").digest("hex");
    expect(stdout.split(/\s/)[0]).toBe(hash);
    expect(
      stdout
        .split("\n")
        .slice(1)
        .filter((line) => line !== "" && !line.includes("/self/")),
    ).toEqual([]);
  });

  test("a command that does not read its stdin, or has none, comes to its end", async () => {
    expect((await host.run(sh`true`, { stdin: "x".repeat(1_000_000) })).exitCode).toBe(0);
    expect((await host.run(sh`cat`)).stdout).toBe("");
  });

  test("a script beyond the argument limit runs", async () => {
    const { stdout } = await host.run(sh`printf %s ${"x".repeat(500_000)} | wc -c`);
    expect(stdout.trim()).toBe("500000");
  });

  test("lines arrive while the command runs, from both streams", async () => {
    const lines: [string, number][] = [];
    const start = performance.now();
    const onLine = (line: string) => lines.push([line, performance.now() - start]);
    await host.run(sh`echo one; sleep 0.4; echo two >&2; printf three`, { onLine });
    expect(lines.map(([line]) => line).toSorted()).toEqual(["one", "three", "two"]);
    expect(lines.find(([line]) => line === "one")?.[1]).toBeLessThan(
      (lines.find(([line]) => line === "two")?.[1] ?? 0) - 200,
    );
  });

  test("a command over its limit is ended, with its children, and says so", async () => {
    const mark = join(sshd.folder, "late");
    const error = await errorOf(
      host.run(sh`echo begun; (sleep 3; touch ${mark}) & wait`, { timeoutSeconds: 1 }),
    );
    expect(error).toMatchObject({ kind: "timeout", host: "gpu1" });
    expect(error.message).toMatch(/gpu1 \(root@127\.0\.0\.1:\d+\).*echo begun.*limit of 1 s\n {2}begun/s);
    await sleep(2500);
    expect(existsSync(mark)).toBe(false);
    expect((await host.run(sh`echo alive`)).stdout).toBe("alive\n");
  });

  test("a command that itself exits 124 is not taken for one that ran out of time", async () => {
    expect((await host.run(sh`exit 124`, { timeoutSeconds: 5 })).exitCode).toBe(124);
    expect((await host.run(sh`kill -9 $$`, { timeoutSeconds: 5 })).exitCode).toBe(137);
  });

  test("50 runs at once share a few shells", async () => {
    const runs = Array.from({ length: 50 }, (_, i) => host.run(sh`echo ${i} $PPID`));
    const answers = (await Promise.all(runs)).map(({ stdout }) => stdout);
    expect(answers.map((answer) => Number.parseInt(answer, 10))).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    const { stdout } = await host.run(sh`pgrep -P $(ps -o ppid= -p $(ps -o ppid= -p $PPID)) | wc -l`);
    expect(Number(stdout)).toBeLessThanOrEqual(6);
  });

  test("50 facts asked at once are one round trip; asked twice, they are asked once", async () => {
    await host.run(sh`true`);
    const before = host.roundTrips;
    const facts = Array.from({ length: 50 }, (_, i) => host.ask(stdout(sh`echo ${i % 25}`)));
    expect(await Promise.all(facts)).toEqual(Array.from({ length: 50 }, (_, i) => `${i % 25}\n`));
    expect(host.roundTrips - before).toBe(1);
  });

  test("a hung fact fails alone and does not keep the others' answers", async () => {
    const start = performance.now();
    const first = host.ask(stdout(sh`echo first`)).then(() => performance.now() - start);
    const hung = errorOf(host.ask(stdout(sh`sleep 30`, 1)));
    const last = host.ask(stdout(sh`echo last`));
    expect(await first).toBeLessThan(900);
    expect(await hung).toMatchObject({ kind: "timeout" });
    expect(await last).toBe("last\n");
  });

  test("facts behind a hung one do not wait for its end", async () => {
    let over = false;
    const hung = errorOf(host.ask(stdout(sh`sleep 60`, 15))).finally(() => {
      over = true;
    });
    await Promise.all(Array.from({ length: 10 }, (_, i) => host.ask(stdout(sh`echo ${i}`))));
    expect(over).toBe(false);
    expect(await hung).toMatchObject({ kind: "timeout" });
  });

  test("a fact whose answer is not understood shows the answer", async () => {
    const fact: Fact<never> = {
      name: "the answer",
      command: sh`echo what is this; exit 5`,
      parse: () => {
        throw new Error("no number in it");
      },
    };
    const error = await errorOf(host.ask(fact));
    expect(error.message).toContain("the answer (exit code 5): no number in it\n  what is this");
  });

  describe("files", () => {
    const path = (name: string) => join(sshd.folder, name);

    test("a file comes back byte for byte, megabytes as well", async () => {
      const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 3));
      await host.writeFile(path("big"), bytes, { mode: "0640", owner: "root:daemon" });
      expect((await host.readFile(path("big")))?.equals(bytes)).toBe(true);
      const { mode, uid, gid } = statSync(path("big"));
      expect([mode & 0o7777, uid, gid]).toEqual([0o640, 0, 1]);
    });

    test("an empty file is a file", async () => {
      await host.writeFile(path("empty"), "", { mode: "0600", owner: "root:root" });
      expect(await host.readFile(path("empty"))).toEqual(Buffer.alloc(0));
    });

    test("what is not there is undefined; a folder is an error", async () => {
      expect(await host.readFile(path("nowhere"))).toBeUndefined();
      expect(await host.readFile("/etc/hostname/below")).toBeUndefined();
      expect((await errorOf(host.readFile("/etc"))).message).toContain(
        "cannot read /etc\n  it is there and is not",
      );
    });

    test("a symbolic link is replaced, not followed; a folder is not replaced; no rest stays behind", async () => {
      const folder = path("place");
      mkdirSync(join(folder, "folder"), { recursive: true });
      writeFileSync(path("target"), "old");
      symlinkSync(path("target"), join(folder, "link"));
      await host.writeFile(join(folder, "link"), "new", { mode: "0644", owner: "root:root" });
      expect(readFileSync(path("target"), "utf8")).toBe("old");
      const attributes = { mode: "0644", owner: "root:root" };
      expect((await errorOf(host.writeFile(join(folder, "folder"), "x", attributes))).message).toContain(
        "cannot write",
      );
      expect(
        (await errorOf(host.writeFile(join(folder, "y"), "x", { ...attributes, owner: "nobody-such" })))
          .message,
      ).toContain("nobody-such");
      expect((await errorOf(host.writeFile(path("no/such/x"), "x", attributes))).message).toContain(
        "No such file",
      );
      expect((await host.run(sh`ls -A ${folder}`)).stdout).toBe("folder\nlink\n");
    });
  });

  test("a connection that breaks fails what runs; the next call connects anew", async () => {
    const running = errorOf(host.run(sh`sleep 20`));
    await sleep(500);
    sshd.dropConnections();
    expect(await running).toMatchObject({ kind: "lost" });
    expect((await running).message).toContain("while running: sleep 20");
    expect((await host.run(sh`echo again`)).stdout).toBe("again\n");
  });

  test("a question swallowed by a broken connection is asked once more", async () => {
    const mark = join(sshd.folder, "asked");
    rmSync(mark, { force: true });
    const answer = host.ask(stdout(sh`echo x >>${mark}; [ $(wc -l <${mark}) -gt 1 ] || sleep 20; echo here`));
    await sleep(600);
    sshd.dropConnections();
    expect(await answer).toBe("here\n");
  });

  test("a shell that is killed under a command does not hang it", async () => {
    expect(await errorOf(host.run(sh`kill -9 $(ps -o ppid= -p $PPID)`))).toMatchObject({ kind: "lost" });
    expect((await host.run(sh`echo fine`)).stdout).toBe("fine\n");
  });

  test("reconnect opens a new connection and lets what runs come to its end", async () => {
    const session = () =>
      host.run(sh`ps -o ppid= -p $(ps -o ppid= -p $PPID)`).then(({ stdout }) => stdout.trim());
    const before = await session();
    const running = host.run(sh`sleep 1; echo done`);
    await sleep(100);
    await host.reconnect(5);
    expect(await session()).not.toBe(before);
    expect((await running).stdout).toBe("done\n");
  });

  test("the lock keeps a second process out, naming the first; it goes with the connection", async () => {
    const first = await hostOf(poolOf(sshd.entry(), sshd.folder));
    const second = await hostOf(poolOf(sshd.entry(), sshd.folder));
    const anna = "anna@laptop, pid 4242, pulumi up of prod";
    await Promise.all([first.lock(anna), first.lock(anna), first.lock(anna)]);
    await first.lock(anna);
    const error = await errorOf(second.lock("ben@desk", 1));
    expect(error.kind).toBe("refused");
    expect(error.message).toMatch(
      /held since \d{4}-\d\d-\d\d [\d:]+ UTC by anna@laptop, pid 4242, pulumi up of prod/,
    );
    await first.reconnect(5);
    expect(await errorOf(second.lock("ben@desk", 1))).toMatchObject({ kind: "refused" });
    await pools[0]?.close();
    await second.lock("ben@desk", 10);
  });

  test("an ordinary user can neither hold the lock nor put a file in its place", async () => {
    const nobody = { uid: 65534, gid: 65534 };
    const hold = "f=/run/lock/gpu-hosts.lock; [ -e $f ] || : >$f; exec 9<$f; flock 9; exec sleep 20";
    const holder = spawn("sh", ["-c", hold], nobody);
    try {
      await sleep(300);
      await (await hostOf(poolOf(sshd.entry(), sshd.folder))).lock("anna@laptop", 2);
      const attempt = spawnSync("sh", ["-c", "exec 9</run/gpu-hosts/lock"], { ...nobody, encoding: "utf8" });
      expect(attempt.stderr).toMatch(/Permission denied/);
    } finally {
      holder.kill("SIGKILL");
    }
  });

  test("two names of one machine share the lock if they lead there alike, else the second is told that it is we", async () => {
    // What `host add` notes of a machine leads nowhere.
    const facts = {
      release: "Debian GNU/Linux 12 (bookworm)",
      architecture: "x86_64",
      cpuCores: 2,
      gpus: [],
    };
    const hosts = { old: { ...sshd.entry(), ...facts, retire: true as const }, young: sshd.entry() };
    const pool = openPool({ hosts, credentials: {} }, { home: sshd.folder, agent: undefined });
    pools.push(pool);
    const [old, young] = [await hostOf(pool, "old"), await hostOf(pool, "young")];
    await old.lock("anna@laptop");
    await young.lock("anna@laptop");

    const other = poolOf(sshd.entry({ address: "localhost" }), sshd.folder);
    const error = await errorOf((await hostOf(other)).lock("anna@laptop", 1));
    expect(error.message).toContain("this very run is changing the machine under another name");
  });

  test("there is no Windows host behind the name of a Linux machine", async () => {
    await expect(poolOf(sshd.entry(), sshd.folder).reach("gpu1", { on: "windows" })).rejects.toThrow(
      "gpu1 is a linux machine: there is no windows host of that name",
    );
  });

  test("what is meant for Windows is refused before it is sent", async () => {
    const script = { name: "enable-feature", text: "param($In)" };
    await expect(host.run(ps(script, { name: "x" }))).rejects.toThrow(
      /enable-feature is a PowerShell script/,
    );
    await expect(host.writeFile("/tmp/x", "", { access: "readable" })).rejects.toThrow("mode and an owner");
  });

  test("a NUL byte in a command is refused before it is sent", async () => {
    await expect(host.run({ text: "printf 'a\0b'" })).rejects.toThrow("NUL");
    await expect(host.ask(stdout({ text: "a\0" }))).rejects.toThrow("NUL");
  });

  test("after close nothing keeps the process: no lock, no running command, no host that is waited for", async () => {
    const silent = await listenSilently();
    const pool = new URL("./pool.ts", import.meta.url).href;
    const [gone, mute] = [sshd.entry({ port: 1 }), sshd.entry({ port: portOf(silent) })];
    const inventory = { hosts: { gpu1: sshd.entry(), gone, mute }, credentials: {} };
    const program = `
      import { openPool } from ${JSON.stringify(pool)};
      const pool = openPool(${JSON.stringify(inventory)}, { home: "/nonexistent" });
      const { host } = await pool.reach("gpu1");
      await host.lock("test");
      void host.run({ text: "sleep 30" }).catch(() => undefined);
      void host.ask({ name: "x", command: { text: "sleep 30" }, parse: (f) => f }).catch(() => undefined);
      for (const name of ["gone", "mute"]) void pool.reach(name, { withinSeconds: 30 });
      await new Promise((resolve) => setTimeout(resolve, 700));
      await pool.close();
      console.log(Date.now());`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      timeout: 15_000,
    });
    expect(Date.now() - Number(out)).toBeLessThan(2000);
    silent.close();
  });

  test("an IPv6 address and a name work", async () => {
    for (const address of ["::1", "localhost"])
      expect((await hostOf(poolOf(sshd.entry({ address }), sshd.folder))).target).toBe(
        `root@${address.includes(":") ? `[${address}]` : address}:${sshd.port}`,
      );
  });

  test("a host that is up and starts its sshd late is waited for, with a word", async () => {
    await sshd.stop();
    const said: string[] = [];
    const pool = poolOf(sshd.entry(), sshd.folder);
    const reach = pool.reach("gpu1", { withinSeconds: 20, onWait: (line) => said.push(line) });
    await sleep(800);
    await sshd.start();
    expect((await reach).state).toBe("reachable");
    expect(said[0]).toMatch(/gpu1 .* does not answer yet: connect ECONNREFUSED/);
  });
});

describeOnSshd("a host that cannot be reached", () => {
  let sshd: TestSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.remove());
  const reach = (entry: HostEntry, credentials?: Credentials) =>
    poolOf(entry, sshd.folder, credentials).reach("gpu1", { withinSeconds: 1 });

  test("nobody listens: tried until the limit, then told what was tried", async () => {
    const error = errorIn(await reach(sshd.entry({ port: 1 })));
    expect(error).toMatchObject({ kind: "unreachable", host: "gpu1" });
    expect(error.message).toMatch(/127\.0\.0\.1 port 1 after \d tr.*ECONNREFUSED.*\n.*hosts\.gpu1\.address/s);
  });

  test("somebody listens who never speaks SSH: the limit holds", async () => {
    const silent = await listenSilently();
    const start = performance.now();
    const error = errorIn(await reach(sshd.entry({ port: portOf(silent) })));
    expect(error.message).toContain("no answer within 1 s");
    expect(performance.now() - start).toBeLessThan(2500);
    silent.close();
  });

  test("a name that does not resolve fails at once", async () => {
    const start = performance.now();
    const pool = poolOf(sshd.entry({ address: "gpu1.invalid" }), sshd.folder);
    const error = errorIn(await pool.reach("gpu1", { withinSeconds: 30 }));
    expect(error.message).toMatch(/gpu1\.invalid cannot be resolved\n.*hosts\.gpu1\.address/);
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  test("a login that is refused fails at once and lists the keys tried", async () => {
    const identityFile = join(sshd.folder, "stranger");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", identityFile]);
    const error = errorIn(await reach(sshd.entry({ identityFile })));
    expect(error.kind).toBe("auth");
    expect(error.message).toContain(`tried ${identityFile}`);
    expect(error.hint).toContain("authorized_keys");
  });

  test("a changed host key is refused with both fingerprints", async () => {
    const hostKey = `SHA256:${"A".repeat(43)}`;
    const error = errorIn(await reach(sshd.entry({ hostKey })));
    expect(error.kind).toBe("key");
    expect(error.message).toContain(`shows ${sshd.fingerprint}`);
    expect(error.message).toContain(`expected ${hostKey} (hosts.gpu1.hostKey)`);
  });

  test("the pin may be that of any of the host's keys, not only of the one it shows first", async () => {
    const key = join(sshd.folder, "second");
    execFileSync("ssh-keygen", ["-q", "-t", "rsa", "-N", "", "-f", key]);
    const hostKey = fingerprintOf(
      Buffer.from(readFileSync(`${key}.pub`, "utf8").split(" ")[1] ?? "", "base64"),
    );
    const both = await startSshd([`HostKey ${key}`]);
    try {
      await hostOf(poolOf(both.entry({ hostKey }), both.folder));
    } finally {
      await both.remove();
    }
  });

  test("an unknown host key is refused with the line to add; known_hosts makes it known", async () => {
    const { hostKey: _, ...entry } = sshd.entry();
    const error = errorIn(await reach(entry));
    expect(error.kind).toBe("key");
    expect(error.message).toContain(`hostKey: "${sshd.fingerprint}"`);
    mkdirSync(join(sshd.folder, ".ssh"), { recursive: true });
    writeFileSync(join(sshd.folder, ".ssh", "known_hosts"), `${sshd.hostKeyLine}\n`);
    expect((await reach(entry)).state).toBe("reachable");
    writeFileSync(join(sshd.folder, ".ssh", "known_hosts"), `@revoked ${sshd.hostKeyLine}\n`);
    expect(errorIn(await reach(entry)).message).toContain("revoked");
  });

  test("a pinned key that known_hosts has as revoked is refused", async () => {
    mkdirSync(join(sshd.folder, ".ssh"), { recursive: true });
    const bare = sshd.hostKeyLine.replace(/^\S+/, "127.0.0.1");
    for (const line of [sshd.hostKeyLine, bare]) {
      writeFileSync(join(sshd.folder, ".ssh", "known_hosts"), `@revoked ${line}\n`);
      expect(errorIn(await reach(sshd.entry()))).toMatchObject({
        kind: "key",
        message: expect.stringMatching(/is revoked in .*known_hosts/),
      });
    }
    rmSync(join(sshd.folder, ".ssh", "known_hosts"));
    expect((await reach(sshd.entry())).state).toBe("reachable");
  });

  test("a server that has SHA-1 checksums alone is refused", async () => {
    const old = await startSshd(["Ciphers aes128-ctr", "MACs hmac-sha1,hmac-sha1-etm@openssh.com"]);
    try {
      const error = errorIn(await poolOf(old.entry(), old.folder).reach("gpu1", { withinSeconds: 1 }));
      expect(error).toMatchObject({
        kind: "refused",
        what: expect.stringContaining("no common SSH algorithm"),
      });
    } finally {
      await old.remove();
    }
  });

  test("what a server says before it has shown a key steers no terminal", async () => {
    const words = Buffer.from("go away\u001b]52;c;cm0=\u0007\u001b[2J\u202e\u009b31m");
    // SSH_MSG_DISCONNECT (RFC 4253, 11.1) in a packet without encryption.
    const payload = Buffer.concat([
      Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, words.length]),
      words,
      Buffer.alloc(4),
    ]);
    const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8);
    const head = Buffer.from([0, 0, 0, payload.length + padding + 1, padding]);
    const evil = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.write("SSH-2.0-evil\r\n");
      socket.end(Buffer.concat([head, payload, Buffer.alloc(padding)]));
    });
    await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve));
    const said: string[] = [];
    const pool = poolOf(sshd.entry({ port: portOf(evil) }), sshd.folder);
    const error = errorIn(await pool.reach("gpu1", { withinSeconds: 1, onWait: (line) => said.push(line) }));
    const shown = [error.message, ...said].join("\n");
    expect(shown).toContain("go away");
    expect(shown).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
    evil.close();
  });

  test("a name that is not in the inventory throws with both ways out", async () => {
    await expect(poolOf(sshd.entry(), sshd.folder).reach("gpu9")).rejects.toThrow(
      /gpu9 is not in the inventory.*gpu1.*retire: true.*retire: gone/s,
    );
    await expect(poolOf(sshd.entry(), sshd.folder).reach("constructor")).rejects.toThrow("is not in the inv");
    const jumping = await poolOf(sshd.entry({ jump: "constructor" }), sshd.folder).reach("gpu1");
    expect(errorIn(jumping).message).toContain("constructor is no host of gpuhost:hosts");
  });
});

describeOnSshd("sshd with other ways", () => {
  test("a login shell that prints on both streams, and echoes commands, is not heard", async () => {
    const sshd = await startSshd(["PermitUserEnvironment yes"]);
    try {
      // bash reads this file when sshd starts it (BASH_ENV): what a noisy .bashrc does.
      const noise = join(sshd.folder, "noise");
      writeFileSync(noise, "echo welcome to gpu1; echo careful >&2; set -x\n");
      writeFileSync(
        join(sshd.folder, "authorized_keys"),
        `environment="BASH_ENV=${noise}" ${readFileSync(join(sshd.folder, "login.pub"), "utf8")}`,
      );
      const host: Machine = await hostOf(poolOf(sshd.entry(), sshd.folder));
      expect(await host.run(sh`echo clean`)).toEqual({ exitCode: 0, stdout: "clean\n", stderr: "" });
    } finally {
      await sshd.remove();
    }
  });

  test("two sessions a connection are enough: fewer shells, the same answers, the lock still fits", async () => {
    const sshd = await startSshd(["MaxSessions 2"]);
    try {
      const host = await hostOf(poolOf(sshd.entry(), sshd.folder));
      const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => host.run(sh`echo ${i}`)));
      expect(runs.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 20 }, (_, i) => i));
      await host.lock("me", 1);
      expect((await host.run(sh`echo still`)).stdout).toBe("still\n");
    } finally {
      await sshd.remove();
    }
  });

  test("no session at all is an error that names the setting", async () => {
    const sshd = await startSshd(["MaxSessions 0"]);
    try {
      const host = await hostOf(poolOf(sshd.entry(), sshd.folder));
      expect((await errorOf(host.run(sh`true`))).hint).toContain("MaxSessions");
    } finally {
      await sshd.remove();
    }
  });
});

describeOnSshd("a host that reboots", () => {
  // sshd as PID 1 of a PID namespace: when it ends, all in it ends, and the next one has another start time.
  // That is how a container reboots, boot id unchanged.
  const asPid1 = (sshd: TestSshd, systemctl: string) => {
    const script = `mount -t tmpfs tmpfs /usr/local/sbin
printf '#!/bin/sh\\n%s\\n' "$1" >/usr/local/sbin/systemctl
chmod 755 /usr/local/sbin/systemctl
exec /usr/sbin/sshd -D -f "$2"`;
    const config = join(sshd.folder, "sshd_config");
    const args = [
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-c",
      script,
      "sh",
      systemctl,
      config,
    ];
    let over = false;
    let machine: ChildProcess;
    const boot = () => {
      machine = spawn("unshare", args, { stdio: "ignore" });
      machine.once("exit", () => over || setTimeout(boot, 1000));
    };
    boot();
    return () => {
      over = true;
      machine.kill("SIGKILL");
    };
  };

  test("it is back when it answers with another boot identity; the lock is taken again", async () => {
    const sshd = await startSshd();
    await sshd.stop();
    const off = asPid1(sshd, 'test "$1" = reboot && kill -TERM 1');
    try {
      const host = await hostOf(poolOf(sshd.entry(), sshd.folder));
      await host.lock("me");
      const start = performance.now();
      await host.reboot(30);
      expect(performance.now() - start).toBeGreaterThan(1000);
      expect((await host.run(sh`echo back`)).stdout).toBe("back\n");
      const second = await hostOf(poolOf(sshd.entry(), sshd.folder));
      expect((await errorOf(second.lock("other", 0))).message).toContain("by me");
    } finally {
      off();
      await sshd.remove();
    }
  });

  test("one that does not go down is an error at the deadline, one that refuses at once", async () => {
    const sshd = await startSshd();
    await sshd.stop();
    const off = asPid1(
      sshd,
      "echo 'a job holds it up' >&2; test -e /run/gpu-hosts-test-refuse && exit 1; exit 0",
    );
    try {
      const host = await hostOf(poolOf(sshd.entry(), sshd.folder));
      expect(await errorOf(host.reboot(3))).toMatchObject({ kind: "timeout" });
      await host.run(sh`mount -t tmpfs tmpfs /run; touch /run/gpu-hosts-test-refuse`);
      expect((await errorOf(host.reboot(3))).message).toContain("refused\n  a job holds it up");
    } finally {
      off();
      await sshd.remove();
    }
  });
});
