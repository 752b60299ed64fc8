import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { HostEntry } from "#inventory/inventory.ts";
import { sh } from "../command.ts";
import { HostError } from "../errors.ts";
import type { Reach } from "../host.ts";
import { openPool } from "../pool.ts";
import { describeOnSshd } from "../testing/describe-on-sshd.ts";
import { startSshd, type TestSshd } from "../testing/sshd.ts";

// Real servers on a machine that may be busy.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

describeOnSshd("a host whose key an authority of known_hosts vouches for", () => {
  let folder: string;
  let authority: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "gpu-hosts-authority-"));
    keygen("-t", "ed25519", "-N", "", "-f", join(folder, "ca"));
    authority = readFileSync(join(folder, "ca.pub"), "utf8");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const keygen = (...args: string[]) => execFileSync("ssh-keygen", ["-q", ...args], { stdio: "ignore" });
  /** Has the authority sign a key of a server, which shows the certificate from its next start on. */
  const sign = (sshd: TestSshd, options = ["-n", "127.0.0.1"], key = "host") =>
    keygen("-s", join(folder, "ca"), "-I", "rack1", "-h", ...options, join(sshd.folder, `${key}.pub`));

  /**
   * A server whose certificate of its ed25519 key was signed so. @param options of ssh-keygen; `undefined`:
   * it has none
   */
  async function signed(options?: readonly string[], ...settings: string[]): Promise<TestSshd> {
    const sshd = await startSshd(settings);
    cleanups.push(() => sshd.remove());
    const config = join(sshd.folder, "sshd_config");
    if (options === undefined) return sshd;
    sign(sshd, [...options]);
    writeFileSync(config, `HostCertificate ${join(sshd.folder, "host-cert.pub")}\n`, { flag: "a" });
    await sshd.restart();
    return sshd;
  }
  const LOCAL = ["-n", "127.0.0.1"];

  /** A home directory of an operator. */
  function homeWith(knownHosts: string, config = ""): string {
    const home = mkdtempSync(join(tmpdir(), "gpu-hosts-home-"));
    cleanups.push(() => rmSync(home, { recursive: true }));
    mkdirSync(join(home, ".ssh"));
    writeFileSync(join(home, ".ssh", "config"), config);
    writeFileSync(join(home, ".ssh", "known_hosts"), knownHosts);
    return home;
  }
  const trusting = (names = "127.0.0.1") => `@cert-authority ${names} ${authority}`;
  const unpinned = (sshd: TestSshd, changes: Partial<HostEntry> = {}): HostEntry => {
    const { hostKey: _, ...entry } = sshd.entry(changes);
    return entry;
  };

  function reach(hosts: Record<string, HostEntry>, home: string, withinSeconds = 20): Promise<Reach> {
    const pool = openPool({ hosts, credentials: {} }, { home });
    cleanups.push(() => pool.close());
    return pool.reach("rack1", { withinSeconds });
  }
  async function answers(hosts: Record<string, HostEntry>, home: string): Promise<void> {
    const reached = await reach(hosts, home);
    if (reached.state !== "reachable") throw new Error(errorIn(reached).message);
    expect((await reached.host.run(sh`echo here`)).stdout).toBe("here\n");
  }
  function errorIn(reached: Reach): HostError {
    if (reached.state !== "unreachable" || !(reached.error instanceof HostError))
      throw new Error(JSON.stringify(reached));
    return reached.error;
  }
  const refusal = async (sshd: TestSshd, home = homeWith(trusting())): Promise<HostError> => {
    const error = errorIn(await reach({ rack1: unpinned(sshd) }, home));
    expect(error).toMatchObject({ kind: "key", host: "rack1" });
    return error;
  };

  test.each([
    ["its name and port", (port: number) => `[127.0.0.1]:${port}`],
    ["its bare name", () => "127.0.0.1"],
    ["a pattern", () => "*"],
  ])("is let in by a line for %s", async (_, names) => {
    const sshd = await signed(LOCAL);
    await answers({ rack1: unpinned(sshd) }, homeWith(trusting(names(sshd.port))));
  });

  test("gets a new key and a new certificate: nothing is to be done here", async () => {
    const sshd = await signed(LOCAL);
    const home = homeWith(trusting());
    await answers({ rack1: unpinned(sshd) }, home);
    rmSync(join(sshd.folder, "host"));
    keygen("-t", "ed25519", "-N", "", "-f", join(sshd.folder, "host"));
    // Signed by nobody yet: sshd shows no certificate that is not for its key.
    await sshd.restart();
    expect((await refusal(sshd, home)).what).toContain("it shows no certificate");
    sign(sshd);
    await sshd.restart();
    await answers({ rack1: unpinned(sshd) }, home);
    // Nor is a line with the key it had before in the way.
    await answers({ rack1: unpinned(sshd) }, homeWith(`${sshd.hostKeyLine}\n${trusting()}`));
  });

  test.each(["ecdsa", "rsa"])("may have a certificate for its %s key alone", async (type) => {
    const sshd = await signed();
    const key = join(sshd.folder, type);
    keygen("-t", type, "-N", "", "-f", key);
    sign(sshd, LOCAL, type);
    const more = `HostKey ${key}\nHostCertificate ${key}-cert.pub\n`;
    writeFileSync(join(sshd.folder, "sshd_config"), more, { flag: "a" });
    await sshd.restart();
    await answers({ rack1: unpinned(sshd) }, homeWith(trusting()));
    // A line for a key of its without one, which is out of date, is not in the way.
    await answers({ rack1: unpinned(sshd) }, homeWith(`${trusting()}${otherKeyLine(sshd)}`));
  });

  const otherKeyLine = (sshd: TestSshd) => {
    const [name] = sshd.hostKeyLine.split(" ");
    const other = join(sshd.folder, "other");
    keygen("-t", "ed25519", "-N", "", "-f", other);
    return `${name} ${readFileSync(`${other}.pub`, "utf8")}`;
  };

  test("is asked for no certificate where a plain line or a pin will do", async () => {
    const sshd = await signed(LOCAL);
    const home = homeWith(`${trusting()}${sshd.hostKeyLine}\n`);
    vi.stubEnv("PATH", "/nonexistent");
    cleanups.push(() => vi.unstubAllEnvs());
    await answers({ rack1: unpinned(sshd) }, home);
    await answers({ rack1: sshd.entry() }, homeWith(trusting()));
  });

  test("is known to its authority by its HostKeyAlias", async () => {
    const sshd = await signed(["-n", "the-rack"]);
    const home = homeWith(trusting("the-rack"), "Host 127.0.0.1\nHostKeyAlias the-rack\n");
    await answers({ rack1: unpinned(sshd) }, home);
  });

  test("may stand behind a jump host that is let in in the same way, or behind a ProxyCommand", async () => {
    const [bastion, inner] = await Promise.all([signed(LOCAL), signed(["-n", "localhost"])]);
    const home = homeWith(trusting("127.0.0.1,localhost"));
    const hosts = {
      bastion: unpinned(bastion),
      rack1: unpinned(inner, { address: "localhost", jump: "bastion" }),
    };
    await answers(hosts, home);

    const relay = `bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill %%1'`;
    const config = `Host localhost\nProxyCommand ${relay}\n`;
    const behind = homeWith(trusting("localhost"), config);
    await answers({ rack1: unpinned(inner, { address: "localhost" }) }, behind);
    // There as well the host that has no certificate is told from the one that does not answer.
    const bare = await signed();
    const error = errorIn(await reach({ rack1: unpinned(bare, { address: "localhost" }) }, behind));
    expect(error.what).toContain("it shows no certificate");
  });

  test.each([
    [
      "has expired",
      ["-V", "20200101:20200201", ...LOCAL],
      /its ed25519 certificate expired at 2020-0.*; it is 20/,
    ],
    [
      "is for another host",
      ["-n", "gpu2.example"],
      /its ed25519 certificate is for "gpu2.example", not for "127.0.0.1"/,
    ],
    ["is not there", undefined, /it shows no certificate/],
  ])("whose certificate %s is refused, with what is wrong and both ways out", async (_, options, fault) => {
    const sshd = await signed(options);
    const error = await refusal(sshd);
    expect(error.what).toMatch(
      /^the SSH host key of 127\.0\.0\.1 port \d+ is not known: SHA256:.*\n {2}\/\S+known_hosts trusts a certificate authority for it, but\n/,
    );
    expect(error.what).toMatch(fault);
    expect(error.hint).toContain("-h -n 127.0.0.1 ssh_host_ed25519_key.pub");
    expect(error.hint).toContain(`hostKey: "${sshd.fingerprint}"`);
  });

  test("is refused when its key or its authority is revoked", async () => {
    const sshd = await signed(LOCAL);
    const key = `@revoked * ${sshd.hostKeyLine.replace(/^\S+ /, "")}\n`;
    expect((await refusal(sshd, homeWith(`${trusting()}${key}`))).what).toContain("is revoked in");
    const error = await refusal(sshd, homeWith(`${trusting()}@revoked * ${authority}`));
    expect(error.what).toMatch(/its authority SHA256:\S+ is revoked/);
  });

  test("is not taken for one who shows its certificate, which is public, and has not its key", async () => {
    const [right, other] = await Promise.all([signed(LOCAL), signed()]);
    let visitors = 0;
    const sockets = new Set<Socket>();
    const between = createServer((near) => {
      visitors += 1;
      const far = connect(visitors === 1 ? right.port : other.port, "127.0.0.1");
      for (const socket of [near, far]) sockets.add(socket.on("error", () => undefined));
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      between.close();
    });
    const { port } = between.address() as AddressInfo;
    const error = errorIn(await reach({ rack1: unpinned(other, { port }) }, homeWith(trusting())));
    expect(error).toMatchObject({ kind: "key", host: "rack1" });
    expect(error.what).toContain(`it shows ${other.fingerprint}`);
    expect(error.what).toMatch(
      new RegExp(
        `expected ${right.fingerprint.replaceAll("+", "\\+")} \\(its certificate by the authority in /\\S+known_hosts`,
      ),
    );
    expect(visitors).toBe(2);
  });

  test("is told apart from an ssh-keyscan that is missing, or too old", async () => {
    const sshd = await signed(LOCAL);
    const bin = mkdtempSync(join(tmpdir(), "gpu-hosts-bin-"));
    cleanups.push(() => rmSync(bin, { recursive: true }));
    cleanups.push(() => vi.unstubAllEnvs());
    vi.stubEnv("PATH", bin);
    const none = await refusal(sshd);
    expect(none.what).toContain("its certificate cannot be fetched: there is no ssh-keyscan here");
    expect(none.hint).toMatch(/^have the ssh-keyscan of a present OpenSSH.*\nor compare the key/);
    expect(none.hint).toContain(`hostKey: "${sshd.fingerprint}"`);

    // As OpenSSH before 7.2 answers.
    const old = `#!/bin/sh\necho 'unknown option -- c\nusage: ssh-keyscan [-46Hv] [host | addrlist]' >&2\nexit 1\n`;
    writeFileSync(join(bin, "ssh-keyscan"), old);
    chmodSync(join(bin, "ssh-keyscan"), 0o755);
    expect((await refusal(sshd)).what).toContain("the ssh-keyscan here is too old to ask for one");
  });

  test("that is off, or falls silent in the middle, is unreachable as any other", async () => {
    const sshd = await signed(LOCAL);
    const home = homeWith(trusting());
    const off = errorIn(await reach({ rack1: unpinned(sshd, { port: 1 }) }, home, 1));
    expect(off).toMatchObject({ kind: "unreachable" });
    expect(off.message).toContain("ECONNREFUSED");

    const sockets: Socket[] = [];
    let greeting = "SSH-2.0-Silent\r\n";
    const silent = createServer((socket) => {
      sockets.push(socket.on("error", () => undefined));
      if (greeting === "") socket.destroy();
      else socket.write(greeting);
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const entry = unpinned(sshd, { port: (silent.address() as AddressInfo).port });
    expect(errorIn(await reach({ rack1: entry }, home, 1))).toMatchObject({ kind: "unreachable" });
    greeting = "";
    const closed = errorIn(await reach({ rack1: entry }, home, 1));
    expect(closed).toMatchObject({ kind: "unreachable" });
    expect(closed.message).toMatch(/closed the connection|ECONNRESET/);
  });
});
