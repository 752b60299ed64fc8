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
  /** Ends every connection in both directions, without a farewell. */
  cut(): void;
  close(): Promise<void>;
}

/** Bytes that are under way at most; more waits at the sender, as in a real network. */
const UNDER_WAY = 64 * 1024;

/** Passes connections on to a port of 127.0.0.1, late and slowly. */
export async function startSlowProxy(target: number, link: Link): Promise<SlowProxy> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect({ host: "127.0.0.1", port: target, noDelay: true });
    near.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      carry(from, to, link);
      from.on("error", () => to.destroy());
      from.once("close", () => open.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

/** Hands the bytes on in order, each after the link's delay, and no faster than it carries them. */
function carry(from: Socket, to: Socket, { delayMs, bytesPerSecond }: Link): void {
  let free = 0;
  let underWay = 0;
  const later = (work: () => void, size: number) => {
    // The link is busy with this chunk until `free`; then its last byte travels.
    free = Math.max(performance.now(), free) + (size / bytesPerSecond) * 1000;
    setTimeout(work, free + delayMs - performance.now());
  };
  from.on("data", (chunk: Buffer) => {
    underWay += chunk.length;
    if (underWay > UNDER_WAY) from.pause();
    later(() => {
      underWay -= chunk.length;
      if (underWay <= UNDER_WAY) from.resume();
      if (!to.destroyed) to.write(chunk);
    }, chunk.length);
  });
  from.on("end", () => later(() => to.end(), 0));
}
