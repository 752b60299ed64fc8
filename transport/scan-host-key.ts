import { connect, type Socket } from "node:net";
import ssh2 from "ssh2";
import { HostError } from "./errors.ts";
import { fingerprintOf, type HostKeyAlgorithm, keyAlgorithms } from "./host-key.ts";

/** Where an SSH server listens. */
export interface SshServer {
  readonly address: string;
  readonly port: number;
}

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
  /** What the server calls itself: `OpenSSH_9.2p1 Debian-2+deb12u3`, `OpenSSH_for_Windows_9.5`. */
  readonly software: string;
  readonly key: ServerKey;
}

const SCAN_SECONDS = 15;
/** A server names itself in one line of at most 255 bytes, which others may come before (RFC 4253, 4.2). */
const MAX_GREETING = 8192;

/**
 * Asks an SSH server for its host key, without logging in: the connection ends when the key is there. Of several keys the
 * server shows the first that both sides like.
 * @param wanted fingerprint that is looked for among the server's keys of other types as well, when it shows another one
 */
export async function scanHostKey(server: SshServer, wanted?: string): Promise<Scanned> {
  const first = await scan(server, keyAlgorithms([]));
  if (wanted === undefined || first.key.fingerprint === wanted) return first;
  for (const algorithm of ["ecdsa-sha2-nistp256", "rsa-sha2-512"] as const) {
    // A server that has no such key ends the handshake.
    const other = await scan(server, [algorithm]).catch(() => undefined);
    if (other?.key.fingerprint === wanted) return other;
  }
  return first;
}

async function scan(server: SshServer, serverHostKey: HostKeyAlgorithm[]): Promise<Scanned> {
  const socket = connect({ host: server.address, port: server.port });
  const client = new ssh2.Client();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Scanned>((resolve, reject) => {
      const fail = (error: Error) => reject(explained(server, error));
      timer = setTimeout(() => fail(new Error(`no key within ${SCAN_SECONDS} s`)), SCAN_SECONDS * 1000);
      const software = softwareOn(socket);
      client.on("error", fail).on("close", () => fail(new Error("the server closed the connection")));
      socket.on("error", fail).once("connect", () => {
        client.connect({
          sock: socket,
          username: "root",
          authHandler: [],
          algorithms: { serverHostKey },
          hostVerifier: (key: Buffer) => {
            resolve({ software: software(), key: keyOf(key) });
            return false;
          },
        });
      });
    });
  } finally {
    clearTimeout(timer);
    // What the refusal of the key still brings is of no interest.
    client.removeAllListeners().on("error", () => undefined);
    client.destroy();
    socket.destroy();
  }
}

/** Reads along on a socket, for ssh2 does not tell what the server calls itself. */
function softwareOn(socket: Socket): () => string {
  let greeting = "";
  const read = (chunk: Buffer) => {
    greeting += chunk.toString("latin1");
    if (greeting.length > MAX_GREETING || /^SSH-.*\n/m.test(greeting)) socket.off("data", read);
  };
  socket.on("data", read);
  return () => /^SSH-[\d.]+-([^\r\n]*)/m.exec(greeting)?.[1] ?? "";
}

function keyOf(key: Buffer): ServerKey {
  // A length of four bytes comes before the name (RFC 4253, 6.6).
  const type = key.toString("latin1", 4, 4 + key.readUInt32BE(0));
  return { type, fingerprint: fingerprintOf(key), blob: key.toString("base64") };
}

function explained({ address, port }: SshServer, error: Error & { code?: string }): HostError {
  const subject = { name: address, target: `port ${port}` };
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN")
    return new HostError(
      subject,
      "unreachable",
      "the name cannot be resolved",
      "correct the address, or look at your DNS (a tailnet name needs Tailscale to be up)",
      error,
    );
  const parts: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reason = parts.map((part) => (part instanceof Error ? part.message : String(part))).join(", ");
  const hint = `is it on, and does an SSH server listen there? try: ssh-keyscan -p ${port} ${address}`;
  return new HostError(subject, "unreachable", `no SSH host key: ${reason}`, hint, error);
}
