import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import type { Endpoint } from "../endpoint.ts";
import { HostError, type HostName } from "../errors.ts";
import { harmless } from "../harmless.ts";
import { fingerprintOf, type HostKeyAlgorithm, keyAlgorithms, otherAlgorithms } from "./host-key.ts";

/** The public key by which a server proves who it is. */
export interface ServerKey {
  /** As known_hosts has it: `ssh-ed25519`. */
  readonly type: string;
  /** As `ssh-keygen -lf` prints it: `SHA256:…`. */
  readonly fingerprint: string;
  /** In base64, as known_hosts has it. */
  readonly blob: string;
}

export interface Scanned {
  readonly endpoint: Endpoint;
  /** What the server calls itself: `OpenSSH_9.2p1 Debian-2+deb12u3`, `OpenSSH_for_Windows_9.5`. */
  readonly software: string;
  readonly key: ServerKey;
}

interface Wish {
  /** The last machine on the way, for error texts. */
  readonly through?: HostName | undefined;
  /**
   * Fingerprint that is looked for among the server's keys of other types as well, when it shows another one.
   */
  readonly wanted?: string | undefined;
}

const scanSeconds = 15;
/** A server names itself in one line of at most 255 bytes, which others may come before (RFC 4253, 4.2). */
const maxGreeting = 8192;

/**
 * Asks an SSH server for its host key, without logging in: the connection ends when the key is there. Of
 * several keys the server shows the first that both sides like.
 * @param open the stream that a login would run on
 */
export async function scanHostKey(
  endpoint: Endpoint,
  open: () => Promise<Duplex>,
  { through, wanted }: Wish = {},
): Promise<Scanned> {
  const scanned = async (algorithms: HostKeyAlgorithm[]) => {
    const stream = await open().catch((error: Error) => {
      throw scanError(endpoint, through, error);
    });
    const seen = await scan(stream, algorithms).catch((error: Error) => {
      throw scanError(endpoint, through, error);
    });
    return { endpoint, ...seen };
  };
  const first = await scanned(keyAlgorithms([]));
  if (wanted === undefined || first.key.fingerprint === wanted) return first;
  for (const algorithm of otherAlgorithms) {
    // A server that has no such key ends the handshake.
    const other = await scanned([algorithm]).catch(() => undefined);
    if (other?.key.fingerprint === wanted) return other;
  }
  return first;
}

async function scan(
  stream: Duplex,
  serverHostKey: HostKeyAlgorithm[],
): Promise<Pick<Scanned, "software" | "key">> {
  const client = new ssh2.Client();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no key within ${scanSeconds} s`));
      timer = setTimeout(late, scanSeconds * 1000);
      const software = softwareOn(stream);
      stream.on("error", reject);
      client.on("error", reject).on("close", () => reject(new Error("the server closed the connection")));
      client.connect({
        sock: stream,
        username: "root",
        authHandler: [],
        algorithms: { serverHostKey },
        hostVerifier: (key: Buffer) => {
          resolve({ software: software(), key: keyOf(key) });
          return false;
        },
      });
    });
  } finally {
    clearTimeout(timer);
    // What the refusal of the key still brings is of no interest.
    client.removeAllListeners().on("error", () => undefined);
    client.destroy();
    stream.on("error", () => undefined).destroy();
  }
}

/** Reads along on a stream, for ssh2 does not tell what the server calls itself. */
function softwareOn(stream: Duplex): () => string {
  let greeting = "";
  const read = (chunk: Buffer) => {
    greeting += chunk.toString("latin1");
    if (greeting.length > maxGreeting || /^SSH-.*\n/m.test(greeting)) stream.off("data", read);
  };
  stream.on("data", read);
  return () => harmless(/^SSH-[\d.]+-([^\r\n]*)/m.exec(greeting)?.[1] ?? "");
}

function keyOf(key: Buffer): ServerKey {
  // A length of four bytes comes before the name (RFC 4253, 6.6).
  const type = key.toString("latin1", 4, 4 + key.readUInt32BE(0));
  return { type, fingerprint: fingerprintOf(key), blob: key.toString("base64") };
}

function scanError(endpoint: Endpoint, through: HostName | undefined, error: Error): HostError {
  const { address, port, user } = endpoint;
  const host = { name: address, target: `port ${port}` };
  if (codeOf(error.cause) === "ENOTFOUND" || codeOf(error.cause) === "EAI_AGAIN")
    return new HostError(
      host,
      "unreachable",
      "the name cannot be resolved",
      "correct the address, or look at your DNS (a tailnet name needs Tailscale to be up)",
      error,
    );
  // Of a machine on the way, which it names.
  if (error instanceof HostError) return error;
  const direct = through === undefined && endpoint.proxyCommand === undefined;
  const jump = through === undefined ? "" : `-J ${through.target} `;
  const attempt = direct ? `ssh-keyscan -p ${port} ${address}` : `ssh ${jump}-p ${port} ${user}@${address}`;
  const hint = `is it on, and does an SSH server listen there? try: ${attempt}`;
  return new HostError(host, "unreachable", `no SSH host key: ${error.message}`, hint, error);
}

const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code;
