import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What a slow link does to the bytes on it, in each direction. */
export interface Link {
  /** Time that each byte is on its way, in ms; half a round trip. */
  readonly delayMs: number;
  readonly bytesPerSecond: number;
}

/** A TCP port on loopback behind which another one seems far away. */
export interface SlowProxy {
  readonly port: number;
  /** Connections that were made to it so far. */
  readonly connections: number;
  /** While true nothing arrives any more, in either direction; what is sent meanwhile arrives afterwards. */
  isDown: boolean;
  /** Ends every connection in both directions, without a farewell. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * Bytes that are under way at most, beside what the link itself holds; more waits at the sender, as in a real
 * network.
 */
const buffered = 64 * 1024;

/** How soon a link that was down is noticed to be up again. */
const downMs = 100;

/** Passes connections on to a port of 127.0.0.1, or of another host, late and slowly. */
export async function startSlowProxy(
  target: number | { readonly host: string; readonly port: number },
  link: Link,
): Promise<SlowProxy> {
  const behind = typeof target === "number" ? { host: "127.0.0.1", port: target } : target;
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect({ ...behind, noDelay: true });
    near.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      carry(from, to, link, () => proxy.isDown);
      from.on("error", () => to.destroy());
      from.once("close", () => open.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  const proxy: SlowProxy = {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    isDown: false,
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
  return proxy;
}

/** Hands the bytes on in order, each after the link's delay, and no faster than it carries them. */
function carry(from: Socket, to: Socket, { delayMs, bytesPerSecond }: Link, isDown: () => boolean): void {
  // Timers alone do not keep their order.
  const queue: { readonly at: number; readonly size: number; readonly arrive: () => void }[] = [];
  const most = buffered + (bytesPerSecond * delayMs) / 1000;
  let free = 0;
  let underWay = 0;
  const deliver = () => {
    if (isDown()) {
      setTimeout(deliver, downMs).unref();
      return;
    }
    for (let [head] = queue; head !== undefined && head.at <= performance.now(); [head] = queue) {
      queue.shift();
      underWay -= head.size;
      head.arrive();
    }
    if (underWay <= most) from.resume();
    if (queue[0] !== undefined) setTimeout(deliver, Math.max(1, queue[0].at - performance.now()));
  };
  const send = (size: number, arrive: () => void) => {
    // The link is busy with this until `free`; then its last byte travels.
    free = Math.max(performance.now(), free) + (size / bytesPerSecond) * 1000;
    underWay += size;
    if (underWay > most) from.pause();
    queue.push({ at: free + delayMs, size, arrive });
    if (queue.length === 1) setTimeout(deliver, free + delayMs - performance.now());
  };
  from.on("data", (chunk: Buffer) => send(chunk.length, () => to.destroyed || to.write(chunk)));
  from.on("end", () => send(0, () => to.end()));
}
