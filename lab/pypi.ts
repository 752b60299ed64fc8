import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A package index with the wheels it was given. */
export interface Pypi {
  /** Address of the index, as pip and uv take it. */
  readonly index: string;
  /** Address of the server, below which a wheel may also have the path that it has at the real index. */
  readonly files: string;
  /** Paths asked for so far. */
  readonly requests: readonly string[];
  /** Adds a wheel and returns its SHA-256. @param path where else it is served: `/packages/xx/name.whl` */
  publish(name: string, wheel: Buffer, path?: string): string;
  /** While it is down, everything is answered with 503. */
  setDown(down: boolean): void;
  close(): Promise<void>;
}

const normalized = (name: string) => name.toLowerCase().replaceAll(/[-_.]+/g, "-");

/** Starts a simple index (PEP 503) on a free port. It holds what tests publish, and asks no other index. */
export async function startPypi(address: string): Promise<Pypi> {
  const wheels = new Map<string, Buffer>();
  const requests: string[] = [];
  let isDown = false;
  const server = createServer(({ method, url = "" }, response) => {
    requests.push(url);
    if (isDown) return response.writeHead(503).end();
    const wheel = wheels.get(url);
    if (wheel) {
      response.writeHead(200, { "content-length": wheel.byteLength });
      return response.end(method === "HEAD" ? undefined : wheel);
    }
    const asked = /^\/simple\/([^/]+)\/$/.exec(url)?.[1];
    const links = [...wheels].flatMap(([path, content]) => {
      const file = path.split("/").at(-1) ?? "";
      if (!path.startsWith("/wheels/") || normalized(file.split("-")[0] ?? "") !== asked) return [];
      const sha256 = createHash("sha256").update(content).digest("hex");
      return [`<a href="${path}#sha256=${sha256}">${file}</a>`];
    });
    if (links.length === 0) return response.writeHead(404).end();
    return response.writeHead(200, { "content-type": "text/html" }).end(`<!DOCTYPE html>${links.join("\n")}`);
  });
  server.listen(0, address);
  await once(server, "listening");
  const files = `http://${address}:${(server.address() as AddressInfo).port}`;
  return {
    index: `${files}/simple`,
    files,
    requests,
    publish(name, wheel, path) {
      wheels.set(`/wheels/${name}`, wheel);
      if (path !== undefined) wheels.set(path, wheel);
      return createHash("sha256").update(wheel).digest("hex");
    },
    setDown: (down) => {
      isDown = down;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
