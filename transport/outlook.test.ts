import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { HostEntry } from "#inventory/inventory.ts";
import type { Outlook } from "./outlook.ts";
import { openPool, type Pool } from "./pool.ts";
import { describeOnSshd } from "./testing/describe-on-sshd.ts";
import { startSshd, type TestSshd } from "./testing/sshd.ts";

/** What is asked of a host without logging in to it: its key, and its ports from the machine before it. */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

describeOnSshd("a host behind a jump host", () => {
  let bastion: TestSshd;
  let inner: TestSshd;
  let server: Server;
  let port: number;
  const pools: Pool[] = [];
  beforeAll(async () => {
    [bastion, inner] = await Promise.all([startSshd(), startSshd()]);
    server = createServer((_, response) => response.end("here"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
  });
  afterAll(async () => {
    server?.close();
    await bastion?.remove();
    await inner?.remove();
  });

  function poolOf(hosts: Record<string, HostEntry>): Pool {
    const pool = openPool({ hosts, credentials: {} }, { home: "/nonexistent" });
    pools.push(pool);
    return pool;
  }
  const through = (changes: Partial<HostEntry> = {}) =>
    poolOf({ bastion: bastion.entry(), rack1: inner.entry({ jump: "bastion", ...changes }) });
  function jumpHost(outlook: Outlook) {
    if (outlook.from !== "jump host") throw new Error(JSON.stringify(outlook));
    return outlook;
  }

  test("shows its key through the jump host, before anybody can log in to it", async () => {
    const pool = through({ hostKey: undefined, identityFile: undefined, user: "nobody" });
    const { key, endpoint } = await pool.scan("rack1");
    expect(key.fingerprint).toBe(inner.fingerprint);
    expect(endpoint.port).toBe(inner.port);
    expect(bastion.connections()).toBe(1);
    expect((await pool.scan("bastion", bastion.fingerprint)).key.fingerprint).toBe(bastion.fingerprint);
  });

  test("a jump host that shows another key, and one behind which nobody is, are told", async () => {
    const other = {
      bastion: bastion.entry({ hostKey: inner.fingerprint }),
      rack1: inner.entry({ jump: "bastion" }),
    };
    await expect(poolOf(other).scan("rack1")).rejects.toThrow(
      /its jump host bastion .* cannot be used: the SSH host key .* is not the one we know/,
    );
    await expect(through({ port: 1 }).scan("rack1")).rejects.toThrow(
      /no SSH host key: its jump host bastion .* port 1: .*refused\n.*try: ssh -J root@127/,
    );
  });

  test("stops are all machines on the way, with what their entries say", async () => {
    const stops = await through().stops("rack1");
    expect(stops.map(({ endpoint: { host, port: at } }) => [host.name, at])).toEqual([
      ["bastion", bastion.port],
      ["rack1", inner.port],
    ]);
  });

  test("a port is open, closed, or could not be tried, as the jump host sees it", async () => {
    const open = jumpHost(await through().outlook("rack1"));
    expect(open).toMatchObject({ name: "bastion", listed: true, address: "127.0.0.1", sshPort: inner.port });
    const tried = await open.connect(port);
    if (tried.state !== "open") throw new Error(tried.why);
    tried.stream.end("GET / HTTP/1.0\r\n\r\n");
    expect(await text(tried.stream)).toMatch(/here$/);
    expect(await open.connect(1)).toEqual({ state: "closed", why: "Connection refused" });

    const nowhere = jumpHost(await through({ address: "rack1.invalid" }).outlook("rack1"));
    await expect(nowhere.connect(port)).rejects.toThrow(/must be known on the jump host/);
    const strict = await startSshd(["PermitOpen none"]);
    try {
      const pool = poolOf({ bastion: strict.entry(), rack1: inner.entry({ jump: "bastion" }) });
      await expect(jumpHost(await pool.outlook("rack1")).connect(port)).rejects.toThrow(/PermitOpen/);
    } finally {
      await strict.remove();
    }
  });

  test("without a jump host this machine looks", async () => {
    expect(await through().outlook("bastion")).toEqual({ from: "here", address: "127.0.0.1" });
  });
});
