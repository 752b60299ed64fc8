import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

// Their names hold a version or a hash, so what is behind a name never changes.
const immutable = /\.u?deb$|\/by-hash\//;
const requestHeaders = ["if-modified-since", "range", "if-range", "cache-control"];
const answerHeaders = ["content-type", "content-length", "content-range", "last-modified", "etag"];

/**
 * The proxy through which hosts without internet reach the mirror of their packages. Packages are kept in a
 * folder that any number of labs share: each file is written beside its place and renamed into it, so that a
 * reader never sees half of one. (apt-cacher-ng does not allow two instances on one folder, and its Debian
 * package starts one for the whole LAN.) Index files are asked anew each time. A program is told why with 502
 * when the mirror cannot be reached.
 */
export async function startAptCache(address: string, port: number, folder: string): Promise<Server> {
  await mkdir(folder, { recursive: true });
  const server = createServer((request, response) => {
    answer(request, response, folder).catch((error: Error) => {
      if (response.headersSent) return response.destroy();
      const cause = error.cause instanceof Error ? error.cause.message : error.message;
      return response
        .writeHead(502, `lab: no answer from ${hostOf(request.url)}: ${cause}`.slice(0, 200))
        .end();
    });
  });
  server.on("connect", tunnel);
  server.listen(port, address);
  return server;
}

const hostOf = (url = "") => (URL.canParse(url) ? new URL(url).host : "the mirror");

async function answer(request: IncomingMessage, response: ServerResponse, folder: string) {
  const { method = "GET", url = "" } = request;
  if (!URL.canParse(url)) return response.writeHead(400, "lab: this is a proxy for apt").end();
  const keeps = method === "GET" && !request.headers.range && immutable.test(url);
  const kept = keeps ? join(folder, createHash("sha256").update(url).digest("hex")) : undefined;
  if (!kept || !existsSync(kept)) return await relay(request, response, kept);
  const { size } = await stat(kept);
  response.writeHead(200, { "content-length": size, "content-type": "application/octet-stream" });
  return await pipeline(createReadStream(kept), response);
}

/** Passes a request on and streams the answer back, and into the cache if it is to be kept. */
async function relay(request: IncomingMessage, response: ServerResponse, kept?: string) {
  const answered = await ask(request);
  const headers = answerHeaders.flatMap((name) => {
    const value = answered.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  response.writeHead(answered.status, Object.fromEntries(headers));
  if (!answered.body) return response.end();
  const body = Readable.fromWeb(answered.body);
  if (kept && answered.status === 200) return await pipeline(body, (chunks) => keep(chunks, kept), response);
  return await pipeline(body, response);
}

/**
 * Hands chunks on as they come, so that apt does not lose patience with a big package, and files them at the
 * end.
 */
async function* keep(chunks: AsyncIterable<Uint8Array>, kept: string) {
  const partial = `${kept}.${process.pid}.${randomUUID()}`;
  try {
    const file = await open(partial, "wx");
    try {
      for await (const chunk of chunks) {
        await file.write(chunk);
        yield chunk;
      }
    } finally {
      await file.close();
    }
    await rename(partial, kept);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * Asks the mirror; once more a second later, because a mirror behind a load balancer drops a connection now
 * and then.
 */
async function ask({ method = "GET", url = "", headers }: IncomingMessage): Promise<Response> {
  // Packages are stored as they are; an encoding would change their size.
  const passed: Record<string, string> = { "accept-encoding": "identity" };
  for (const name of requestHeaders) {
    const value = headers[name];
    if (typeof value === "string") passed[name] = value;
  }
  const attempt = () => fetch(url, { method, headers: passed });
  return await attempt().catch(async () => {
    await sleep(1000);
    return await attempt();
  });
}

/** https mirrors: bytes are passed through, nothing is kept. */
function tunnel(request: IncomingMessage, socket: Duplex) {
  const [host = "", port = "443"] = (request.url ?? "").split(":");
  const upstream = connect(Number(port), host);
  upstream.on("connect", () => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    upstream.pipe(socket).pipe(upstream);
  });
  upstream.on("error", ({ message }) => {
    if (upstream.bytesRead > 0) socket.destroy();
    else socket.end(`HTTP/1.1 502 lab: no answer from ${host}: ${message}\r\n\r\n`);
  });
  socket.on("error", () => upstream.destroy());
}
