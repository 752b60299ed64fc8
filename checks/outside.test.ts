import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { completes, isClosed, isClosedTo, type JumpHost, refusesStrangers, servicesIn } from "./outside.ts";

let server: Server;
let url: string;
let port: number;

beforeAll(async () => {
  server = createServer((request, response) => {
    const allowed = request.headers.authorization === "Bearer sk-right" || request.url?.startsWith("/open/");
    response.writeHead(allowed ? 200 : 401, { "content-type": "application/json" });
    response.end(
      JSON.stringify(allowed ? { choices: [{ message: { content: "hi" } }] } : { error: { message: "no" } }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => {
  server.close();
});

const service = (apiKey: string, base = url) => ({ name: "chat", url: base, model: "tiny", apiKey });

test("a completion with the key", async () => {
  expect(await completes(service("sk-right"))).toEqual({ ok: true, text: 'answered "hi"' });
  expect(await completes(service("sk-wrong"))).toMatchObject({ ok: false });
});

test("no server there", async () => {
  const outcome = await completes(service("sk-right", "http://127.0.0.1:1"));
  expect(outcome).toMatchObject({ ok: false, text: expect.stringContaining("127.0.0.1:1") });
});

test("a stranger must be refused", async () => {
  expect(await refusesStrangers(service("sk-right"))).toEqual({ ok: true, text: "refused (HTTP 401)" });
  expect(await refusesStrangers(service("sk-right", `${url}/open`))).toMatchObject({ ok: false });
  expect(await refusesStrangers(service("sk-right", "http://127.0.0.1:1"))).toMatchObject({ ok: undefined });
});

test("a port is closed if nobody takes the connection", async () => {
  expect(await isClosed({ address: "127.0.0.1", port })).toMatchObject({ ok: false });
  expect(await isClosed({ address: "127.0.0.1", port: 1 })).toMatchObject({ ok: true });
  // An address nobody has is no proof of a closed port.
  expect(await isClosed({ address: "no-such-host.invalid", port: 1 })).toMatchObject({ ok: undefined });
});

/**
 * A jump host on this machine: it connects to what it is asked for, here. @param silent ports that it never
 * hears of
 */
const jumpHost = (sshPort: number, silent: readonly number[] = []): JumpHost => ({
  from: "jump host",
  name: "bastion",
  listed: true,
  jumpAddress: "192.0.2.1",
  address: "192.0.2.2",
  sshPort,
  connect: (at) =>
    new Promise((resolve) => {
      if (silent.includes(at)) return;
      const stream = connect({ host: "127.0.0.1", port: at });
      stream.once("connect", () => resolve({ state: "open", stream }));
      stream.once("error", () => resolve({ state: "closed", why: "Connection refused" }));
    }),
});
/** As a client behind the jump host would name it. */
const there = (apiKey: string, at = port) => service(apiKey, `http://192.0.2.2:${at}`);

test("through a jump host: a completion with the key, a stranger refused, nobody there", async () => {
  const through = jumpHost(port);
  expect(await completes(there("sk-right"), through)).toEqual({ ok: true, text: 'answered "hi"' });
  expect(await completes(there("sk-wrong"), through)).toMatchObject({ ok: false });
  expect(await refusesStrangers(there("sk-right"), through)).toMatchObject({ ok: true });
  expect(await completes(there("sk-right", 1), through)).toEqual({
    ok: false,
    text: "no answer at http://192.0.2.2:1 from bastion: Connection refused",
  });
});

test("through a jump host: a port is closed if it is refused, or silent while the host's SSH port answers", async () => {
  expect(await isClosedTo(jumpHost(port), 1)).toMatchObject({
    ok: true,
    text: expect.stringMatching(/bastion.*refused/),
  });
  expect(await isClosedTo(jumpHost(1), port)).toMatchObject({
    ok: false,
    text: expect.stringContaining("bastion could connect"),
  });
  expect(await isClosedTo(jumpHost(port, [2]), 2, 10)).toMatchObject({
    ok: true,
    text: "no answer to bastion",
  });
  // A jump host that does not reach the host at all.
  expect(await isClosedTo(jumpHost(1, [2]), 2, 10)).toMatchObject({ ok: undefined });
});

test("services are what the stack gives out as such", () => {
  const services = {
    chat: { url: "http://h:1/v1", model: "m" },
    open: { url: "http://h:2/v1", model: "n" },
    none: null,
  };
  expect(servicesIn({ services, "chat-apiKey": "k", count: 3 })).toEqual([
    { name: "chat", url: "http://h:1", model: "m", apiKey: "k" },
    { name: "open", url: "http://h:2", model: "n" },
  ]);
  expect(servicesIn({})).toEqual([]);
});
