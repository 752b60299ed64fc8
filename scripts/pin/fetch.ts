import { createHash } from "node:crypto";

/** Without a byte for this long, a server is given up. */
const silenceMs = 60_000;

async function request(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal });
  } catch (error) {
    const { cause, message } = error as Error;
    const why = signal.aborted ? "no answer" : cause instanceof Error ? cause.message : message;
    throw new Error(`${url}: ${why}`, { cause: error });
  }
}

/**
 * Whether there is a file at an address. Asked with GET, as some mirrors answer nothing else. Rejects if that
 * cannot be told.
 */
export async function exists(url: string): Promise<boolean> {
  const response = await request(url, AbortSignal.timeout(silenceMs));
  await response.body?.cancel();
  if (response.ok) return true;
  if (response.status === 404) return false;
  throw new Error(`${url}: HTTP ${response.status}`);
}

/** Bytes that went by, and how many there are in all where the server tells. */
export interface Progress {
  readonly bytes: number;
  readonly total: number | undefined;
}

/** Fetches a file and keeps nothing of it but its hash and size. */
export async function hashOf(
  url: string,
  progress: (so: Progress) => void,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const silence = new AbortController();
  const watch = () => setTimeout(() => silence.abort(), silenceMs);
  let timer = watch();
  try {
    const response = await request(url, silence.signal);
    if (!response.ok || !response.body) throw new Error(`${url}: HTTP ${response.status}`);
    const length = response.headers.get("content-encoding") ? null : response.headers.get("content-length");
    const total = length === null ? undefined : Number(length);
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = watch();
        hash.update(chunk);
        bytes += chunk.byteLength;
        progress({ bytes, total });
      }
    } catch (error) {
      const why = silence.signal.aborted
        ? `nothing came for ${silenceMs / 1000} s`
        : "the connection was cut";
      const far = total === undefined ? `${bytes} bytes` : `${bytes} of ${total} bytes`;
      throw new Error(`${url}: ${why} after ${far}; try again`, { cause: error });
    }
    return { sha256: hash.digest("hex"), bytes };
  } finally {
    clearTimeout(timer);
  }
}
