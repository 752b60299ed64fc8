import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** A TCP relay that makes a near host a far one. */
export interface SlowProxy {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Connections taken so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

interface SlowProxyOptions {
  readonly to: { readonly host: string; readonly port: number };
  /** Milliseconds by which each byte is held back, in each direction: a round trip takes twice that longer. */
  readonly delayMs: number;
  /** In each direction. @default as fast as it goes */
  readonly bytesPerSecond?: number;
}

/** Starts a relay on a free port of this machine; any number of connections at once. */
export async function startSlowProxy({ to, delayMs, bytesPerSecond }: SlowProxyOptions): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect({ ...to, noDelay: true });
    near.setNoDelay(true);
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from
        .on("error", () => into.destroy())
        .on("close", () => {
          sockets.delete(from);
          into.destroy();
        });
      from.pipe(late(delayMs, bytesPerSecond)).pipe(into);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Hands each chunk on after its delay, in order. Any number may be under way: a long line is not a narrow one. */
function late(delayMs: number, bytesPerSecond = Number.POSITIVE_INFINITY): Transform {
  const underWay: { readonly chunk: Buffer; readonly arrives: number }[] = [];
  let free = 0;
  let over: (() => void) | undefined;
  const deliver = (into: Transform) => {
    for (;;) {
      const [first] = underWay;
      if (!first) return over?.();
      const wait = first.arrives - performance.now();
      if (wait > 0) return void setTimeout(deliver, wait, into);
      into.push(underWay.shift()?.chunk);
    }
  };
  return new Transform({
    transform(chunk: Buffer, _, next) {
      const now = performance.now();
      free = Math.max(free, now) + (chunk.length / bytesPerSecond) * 1000;
      underWay.push({ chunk, arrives: free + delayMs });
      if (underWay.length === 1) deliver(this);
      // A narrow line takes the next chunk when this one has left the sender.
      if (free > now) setTimeout(next, free - now);
      else next();
    },
    flush(done) {
      over = done;
      if (underWay.length === 0) done();
    },
  });
}
