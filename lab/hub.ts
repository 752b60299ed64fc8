import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A token that may read gated repositories. */
export const memberToken = "hf_lab_member";
/** A token the hub knows, whose owner was not granted access to gated repositories. */
export const strangerToken = "hf_lab_stranger";

// The hub keeps files above this in LFS (its own bound is 10 MB); small here, so that the tiny model is such
// a file.
const largeFrom = 100_000;

/** Something that goes wrong with the next downloads of a file. */
interface Fault {
  /** Name of the file in its repository. */
  readonly file: string;
  /**
   * `cut` drops the connection in the middle, `corrupt` sends wrong bytes, `refuse` answers 503, `whole`
   * knows no ranges, `hold` sends the rest only at {@link Hub.release}.
   */
  readonly kind: "cut" | "corrupt" | "refuse" | "whole" | "hold";
  /** Bytes of the answer that are sent before a cut or a hold. @default half of them */
  readonly afterBytes?: number;
  /** Number of downloads it happens to. @default 1 */
  readonly times?: number;
}

/** One request the hub answered. */
interface HubRequest {
  readonly method: string;
  readonly path: string;
  /** The Range header, or an empty string. */
  readonly range: string;
  readonly status: number;
}

interface Blob {
  readonly content: Buffer;
  /** As git names it: of the content, or of the pointer that stands for a large file. */
  readonly oid: string;
  readonly sha256: string;
  readonly large: boolean;
}

interface Repository {
  readonly gated: boolean;
  readonly revisions: Map<string, ReadonlyMap<string, Blob>>;
  head: string;
}

/**
 * A model hub that speaks the paths of Hugging Face's: revision, tree, resolve with ranges and the detour
 * over a CDN.
 */
export interface Hub {
  readonly url: string;
  /** Every request so far, oldest first. */
  readonly requests: readonly HubRequest[];
  /** Adds a commit on `main`; earlier ones stay reachable by their sha, which is what it returns. */
  publish(
    repository: string,
    files: Readonly<Record<string, Buffer | string>>,
    options?: { gated?: boolean },
  ): string;
  /** Makes the next downloads of a file go wrong. */
  fail(fault: Fault): void;
  /** Sends the rest of what is held. */
  release(): void;
  close(): Promise<void>;
}

/** Starts a hub. @param port 0 for a free one */
export async function startHub(address: string, port = 0): Promise<Hub> {
  const repositories = new Map<string, Repository>();
  const requests: HubRequest[] = [];
  const faults: { fault: Fault; left: number }[] = [];

  let gate = Promise.withResolvers<void>();
  const takeFault = (file: string): Fault | undefined => {
    const found = faults.find(({ fault, left }) => fault.file === file && left > 0);
    if (found) found.left--;
    return found?.fault;
  };
  const server = createServer((request, response) => {
    const { method = "", url: path = "", headers } = request;
    const reply = answer({ request, repositories, takeFault, released: gate.promise });
    requests.push({ method, path, range: headers.range ?? "", status: reply.status });
    send(reply, method === "HEAD", response);
  });
  server.listen(port, address);
  await once(server, "listening");
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    requests,
    publish: (name, files, { gated = false } = {}) => publish(repositories, name, files, gated),
    fail: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    release() {
      gate.resolve();
      gate = Promise.withResolvers();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const digest = (algorithm: string, ...parts: (string | Buffer)[]) => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

function publish(
  repositories: Map<string, Repository>,
  name: string,
  files: Readonly<Record<string, Buffer | string>>,
  gated: boolean,
): string {
  const blobs = new Map(
    Object.entries(files).map(([path, content]) => [path, blobOf(Buffer.from(content))] as const),
  );
  const before = repositories.get(name);
  const listing = [...blobs].map(([path, { oid }]) => `${oid} ${path}\n`).join("");
  const sha = digest("sha1", before?.head ?? "", listing);
  const repository = before ?? { gated, revisions: new Map(), head: sha };
  repository.revisions.set(sha, blobs);
  repository.head = sha;
  repositories.set(name, repository);
  return sha;
}

function blobOf(content: Buffer): Blob {
  const sha256 = digest("sha256", content);
  const large = content.byteLength >= largeFrom;
  const stored = large ? Buffer.from(lfsPointer(sha256, content.byteLength)) : content;
  return { content, oid: digest("sha1", `blob ${stored.byteLength}\0`, stored), sha256, large };
}

const lfsPointer = (sha256: string, size: number) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;

interface Exchange {
  readonly request: IncomingMessage;
  readonly repositories: ReadonlyMap<string, Repository>;
  readonly takeFault: (file: string) => Fault | undefined;
  readonly released: Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
  /** After that many bytes of the body: wait, or without anything to wait for drop the connection. */
  readonly halt?: { readonly after: number; readonly until?: Promise<void> } | undefined;
}

function send(
  { status, headers, body = Buffer.alloc(0), halt }: Reply,
  head: boolean,
  response: ServerResponse,
) {
  response.writeHead(status, { "content-length": body.byteLength, ...headers });
  if (head) response.end();
  else if (halt === undefined) response.end(body);
  else if (!halt.until) response.write(body.subarray(0, halt.after), () => response.destroy());
  else {
    response.write(body.subarray(0, halt.after));
    void halt.until.then(() => response.end(body.subarray(halt.after)));
  }
}

const json = (value: unknown, headers: Reply["headers"] = {}, status = 200): Reply => ({
  status,
  headers: { ...headers, "content-type": "application/json" },
  body: Buffer.from(JSON.stringify(value)),
});

const refuse = (status: number, code: string, error: string): Reply =>
  json({ error }, { "x-error-message": error, ...(code ? { "x-error-code": code } : {}) }, status);

function answer(exchange: Exchange): Reply {
  const { request } = exchange;
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "", "method not allowed");
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://hub");
  const path = decodeURIComponent(pathname);
  const cdn = /^\/cdn\/([0-9a-f]{64})\/(.+)$/.exec(path);
  if (cdn) return answerCdn(exchange, cdn[1] ?? "", cdn[2] ?? "");
  const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(path);
  const file = /^\/([^/]+\/[^/]+)\/(resolve)\/([^/]+)\/(.+)$/.exec(path);
  const [, name = "", what = "", revision = "", wanted = ""] = api ?? file ?? [];
  if (!what) return refuse(404, "", "Sorry, we can't find the page you are looking for.");

  const repository = exchange.repositories.get(name);
  const refusal = admit(request.headers.authorization, name, repository);
  if (refusal || !repository) return refusal ?? refuse(404, "RepoNotFound", "Repository not found");
  const sha = revision === "main" ? repository.head : revision;
  const files = repository.revisions.get(sha);
  if (!files) return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  const headers = { "x-repo-commit": sha };
  if (what === "revision") {
    const withBlobs = searchParams.get("blobs") === "true";
    return json(describe({ id: name, sha, gated: repository.gated, files }, withBlobs), headers);
  }
  if (what === "tree") return json([...files].map(entry), headers);
  return resolve(exchange, wanted, files.get(wanted), headers);
}

/** Why whoever asks may not read a repository; undefined if they may. */
function admit(
  authorization: string | undefined,
  name: string,
  repository: Repository | undefined,
): Reply | undefined {
  const token = authorization?.replace(/^Bearer /, "");
  if (token !== undefined && token !== memberToken && token !== strangerToken)
    return refuse(401, "", "Invalid credentials in Authorization header");
  // Without a token the hub does not tell a private repository from none.
  if (!repository) return token ? undefined : refuse(401, "RepoNotFound", "Invalid username or password.");
  if (!repository.gated || token === memberToken) return undefined;
  return refuse(token ? 403 : 401, "GatedRepo", `Access to model ${name} is restricted.`);
}

/**
 * A repository at a revision; with `?blobs=true` also size and hash of each file (huggingface_hub,
 * `model_info(files_metadata=True)`: RepoSibling and BlobLfsInfo).
 */
const describe = (
  { id, sha, gated, files }: { id: string; sha: string; gated: boolean; files: ReadonlyMap<string, Blob> },
  withBlobs: boolean,
) => ({
  id,
  modelId: id,
  sha,
  private: false,
  gated: gated ? "manual" : false,
  siblings: [...files].map(([rfilename, blob]) => ({ rfilename, ...(withBlobs ? metadata(blob) : {}) })),
});

function metadata({ oid, sha256, large, content }: Blob) {
  const size = content.byteLength;
  const lfs = { sha256, size, pointerSize: lfsPointer(sha256, size).length };
  return { size, blobId: oid, ...(large ? { lfs } : {}) };
}

function entry([path, { oid, sha256, large, content }]: readonly [string, Blob]) {
  const size = content.byteLength;
  const lfs = { oid: sha256, size, pointerSize: lfsPointer(sha256, size).length };
  return { type: "file", oid, size, path, ...(large ? { lfs } : {}) };
}

/** Small files come at once, large ones by a redirect to the CDN. */
function resolve(exchange: Exchange, name: string, blob: Blob | undefined, headers: Reply["headers"]): Reply {
  if (!blob) return refuse(404, "EntryNotFound", "Entry not found");
  if (!blob.large) {
    const reply = content(exchange, name, blob, blob.oid);
    return { ...reply, headers: { ...reply.headers, ...headers } };
  }
  const linked = { "x-linked-size": blob.content.byteLength, "x-linked-etag": `"${blob.sha256}"` };
  return {
    status: 302,
    headers: { ...headers, ...linked, location: encodeURI(`/cdn/${blob.sha256}/${name}`) },
  };
}

/** The address from the redirect is all one needs here, as with the hub's signed ones. */
function answerCdn(exchange: Exchange, sha256: string, name: string): Reply {
  const revisions = [...exchange.repositories.values()].flatMap((repository) => [
    ...repository.revisions.values(),
  ]);
  const blob = revisions.map((files) => files.get(name)).find((found) => found?.sha256 === sha256);
  return blob ? content(exchange, name, blob, sha256) : refuse(403, "", "Access denied");
}

function content({ request, takeFault, released }: Exchange, name: string, blob: Blob, etag: string): Reply {
  const size = blob.content.byteLength;
  const headers = { "accept-ranges": "bytes", etag: `"${etag}"`, "content-type": "application/octet-stream" };
  const fault = request.method === "GET" ? takeFault(name) : undefined;
  const range = rangeOf(fault?.kind === "whole" ? undefined : request.headers.range, size);
  if (range === "unsatisfiable")
    return { status: 416, headers: { ...headers, "content-range": `bytes */${size}` } };
  if (fault?.kind === "refuse") return refuse(503, "", "Service Unavailable");
  const { from, to } = range ?? { from: 0, to: size - 1 };
  const body = Buffer.from(blob.content.subarray(from, to + 1));
  if (fault?.kind === "corrupt") for (let i = 0; i < body.length; i += 1000) body[i] = (body[i] ?? 0) ^ 0xff;
  const after = fault?.afterBytes ?? Math.floor(body.byteLength / 2);
  const halts: Partial<Record<string, Reply["halt"]>> = { cut: { after }, hold: { after, until: released } };
  const halt = halts[fault?.kind ?? ""];
  if (!range) return { status: 200, headers, body, halt };
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${from}-${to}/${size}` },
    body,
    halt,
  };
}

/**
 * One byte range, `undefined` for the whole file. Several ranges at once get the whole file, which HTTP
 * allows.
 */
function rangeOf(
  header: string | undefined,
  size: number,
): { from: number; to: number } | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return from > to ? "unsatisfiable" : { from, to };
}
