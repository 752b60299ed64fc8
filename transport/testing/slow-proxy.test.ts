import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSlowProxy } from "./slow-proxy.ts";

let echo: Server;
let port: number;

beforeEach(async () => {
  echo = createServer((socket) => socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  port = (echo.address() as AddressInfo).port;
});
afterEach(() => void echo.close());

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Sends bytes through a proxy to the echo and back. */
async function there(port: number, bytes: Buffer): Promise<{ back: Buffer; milliseconds: number }> {
  const start = performance.now();
  const socket = connect({ host: "127.0.0.1", port });
  socket.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk);
    if (Buffer.concat(chunks).length >= bytes.length) break;
  }
  return { back: Buffer.concat(chunks), milliseconds: performance.now() - start };
}

test("what passes comes out whole and in order, each way later by the delay", async () => {
  const proxy = await startSlowProxy(
    { host: "127.0.0.1", port },
    { delayMs: 30, bytesPerSecond: Number.POSITIVE_INFINITY },
  );
  const bytes = randomBytes(300_000);
  const { back, milliseconds } = await there(proxy.port, bytes);
  expect(hash(back)).toBe(hash(bytes));
  expect(milliseconds).toBeGreaterThanOrEqual(58);
  expect(proxy.connections).toBe(1);
  await proxy.close();
});

test("a narrow line takes its time for what passes", async () => {
  const proxy = await startSlowProxy(port, { delayMs: 0, bytesPerSecond: 100_000 });
  const bytes = randomBytes(50_000);
  const { back, milliseconds } = await there(proxy.port, bytes);
  expect(hash(back)).toBe(hash(bytes));
  expect(milliseconds).toBeGreaterThanOrEqual(480);
  await proxy.close();
});
