import type { Beginning } from "#models/beginning.ts";

/** Where models are read from: Hugging Face, or a mirror that answers the same paths. */
export interface Hub {
  /** Address, such as `https://huggingface.co`. */
  readonly endpoint: string;
  /** For gated repositories; sent to the endpoint alone, never to where it redirects. */
  readonly token?: string | undefined;
  /** Time without a byte after which it is given up, milliseconds. @default 20000 */
  readonly timeoutMs?: number;
}

/** A file of a repository at a revision. */
export interface HubFile {
  /** `OWNER/MODEL`. */
  readonly repository: string;
  /** Commit, or a branch such as `main`. */
  readonly revision: string;
  readonly file: string;
}

/** The hub has no such file, or does not give it: `status` says which. */
export class HubError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "HubError";
    this.status = status;
  }
}

/** Address of a file on a hub. */
const fileUrl = ({ endpoint }: Hub, { repository, revision, file }: HubFile): string =>
  `${endpoint.replace(/\/+$/, "")}/${repository}/resolve/${encodeURIComponent(revision)}/${file.split("/").map(encodeURIComponent).join("/")}`;

/**
 * The beginning of a file on a hub: one request with a range, broken off as soon as the reader has enough.
 */
export function hubBeginning(hub: Hub, wanted: HubFile): Beginning {
  return { name: fileUrl(hub, wanted), chunks: () => chunksOf(hub, wanted, { range: "bytes=0-" }) };
}

/** A small file of a repository as text, such as config.json. */
export async function hubText(hub: Hub, wanted: HubFile): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunksOf(hub, wanted, {})) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function* chunksOf(
  hub: Hub,
  wanted: HubFile,
  headers: Record<string, string>,
): AsyncGenerator<Uint8Array> {
  const { timeoutMs = 20_000 } = hub;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    // fetch() itself keeps the authorization header from other origins.
    const authorization = hub.token ? { authorization: `Bearer ${hub.token}` } : {};
    const answer = await fetch(fileUrl(hub, wanted), {
      headers: { ...headers, ...authorization },
      signal: abort.signal,
    });
    if (!answer.ok) throw new HubError(answer.status, refusal(answer.status, hub, wanted));
    for await (const chunk of answer.body ?? []) {
      clearTimeout(timer);
      yield chunk as Uint8Array;
      timer = setTimeout(() => abort.abort(), timeoutMs);
    }
  } catch (error) {
    if (error instanceof HubError) throw error;
    const reason = abort.signal.aborted ? `nothing came for ${timeoutMs / 1000} s` : causeOf(error);
    throw new HubError(
      0,
      `${fileUrl(hub, wanted)}: ${reason}. Is this machine online, and is the hub's address right?`,
    );
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

function refusal(status: number, hub: Hub, { repository, revision, file }: HubFile): string {
  const where = `${hub.endpoint}: ${repository} at ${revision}`;
  if (status === 401 || status === 403) {
    const cure = hub.token
      ? "accept the model's licence on its page with the account of this token"
      : "accept the model's licence on its page, and give a token of that account";
    return `${where}: ${file} is refused (HTTP ${status}). The repository is gated, private, or does not exist: check the name, ${cure}`;
  }
  if (status === 404) return `${where} has no ${file} (HTTP 404): check name, revision and file`;
  return `${where}: HTTP ${status} for ${file}`;
}
