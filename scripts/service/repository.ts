import { z } from "zod";
import type { Hub } from "#models/hub.ts";

/** A file of a repository. */
export interface RepositoryFile {
  readonly path: string;
  readonly bytes: number;
  /** Of a large file, which the hub keeps by its hash; `undefined`: fetch and hash it. */
  readonly sha256: string | undefined;
}

/** A repository of the model hub at the commit that its branch names now. */
export interface Repository {
  /** `OWNER/MODEL`. */
  readonly id: string;
  readonly revision: string;
  readonly files: readonly RepositoryFile[];
}

// huggingface_hub, `model_info(files_metadata=True)`: ModelInfo, RepoSibling, BlobLfsInfo.
const info = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.looseObject({
      rfilename: z.string(),
      size: z.number().optional(),
      lfs: z.looseObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.number() }).nullish(),
    }),
  ),
});

/**
 * Reads what a repository has, with sizes and hashes, in one request.
 * @throws Error with what to do: no such repository, gated, or the hub does not answer
 */
export async function readRepository(hub: Hub, id: string, branch = "main"): Promise<Repository> {
  const { endpoint, token, timeoutMs = 20_000 } = hub;
  const url = `${endpoint.replace(/\/+$/, "")}/api/models/${id}/revision/${encodeURIComponent(branch)}?blobs=true`;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status, text } = await get(url, headers, timeoutMs);
  if (status !== 200) throw new Error(refusal(status, hub, id));
  const read = info.safeParse(parsed(text));
  if (!read.success) throw new Error(`${url}: is this a model hub? Its answer is none of a repository`);
  const { sha, siblings } = read.data;
  const files = siblings.map(({ rfilename, size = 0, lfs }) => ({
    path: rfilename,
    bytes: lfs?.size ?? size,
    sha256: lfs?.sha256,
  }));
  return { id, revision: sha, files };
}

async function get(url: string, headers: Record<string, string>, timeoutMs: number) {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(url, { headers, signal });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    const { message, cause } = error as Error;
    const why = signal.aborted
      ? `no answer for ${timeoutMs / 1000} s`
      : cause instanceof Error
        ? cause.message
        : message;
    throw new Error(
      `${url}: ${why}. Is this machine online? Another hub is named as gpu-hosts:mirrors.hub in the stack file`,
      { cause: error },
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, { endpoint, token }: Hub, id: string): string {
  if (status === 404) return `${endpoint} has no repository ${id}: check the name`;
  if (status === 401 && token === undefined)
    return `${endpoint} does not show ${id} to everyone: there is none of that name, or it is gated or private. Check the name; for a gated one accept its licence on its page, and give a token of that account: add -- --token`;
  if (status === 401) return `${endpoint} does not know this token: make one under Settings, Access Tokens`;
  if (status === 403)
    return `${endpoint} does not give ${id} to the account of this token: accept the model's licence on its page`;
  return `${endpoint}: HTTP ${status} for ${id}`;
}
