import { type ExecFileException, execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { lastLines } from "../errors.ts";
import { NotYet } from "../way.ts";

/**
 * Kinds of host keys, as `ssh-keyscan -t` names them, by the algorithms under which a server offers a
 * certificate for them.
 */
export const certificateTypes = {
  ed25519: /^ssh-ed25519-/,
  ecdsa: /^ecdsa-/,
  rsa: /rsa-/,
} as const;

export type CertificateType = keyof typeof certificateTypes;

/** What a server answers to the question for its certificate. */
export interface Shown {
  readonly certificate: Buffer | undefined;
  /** Algorithms of all certificates that it has. */
  readonly offered: readonly string[];
}

/** ssh-keyscan is not there or cannot do it; the message ends a sentence whose subject is the certificate. */
export class CannotFetch extends Error {
  override readonly name = "CannotFetch";
}

/** ssh-keyscan has a limit of its own for some of its waits only. */
const fetchSeconds = 30;
const maxGreeting = 8192;

/**
 * Asks an SSH server for its host certificate. ssh2 negotiates none, so the operator's ssh-keyscan does, over
 * a stream of ours: it may lead through a jump host. Whoever shows a certificate, its signature decides.
 * @param far a new connection to the server; it is ended
 * @param onHeard the server sent something Rejects with {@link NotYet} where the server fell silent, with
 * {@link CannotFetch} where ssh-keyscan will not do.
 */
export async function fetchCertificate(
  far: Duplex,
  type: CertificateType,
  onHeard: () => void,
  signal: AbortSignal,
): Promise<Shown> {
  let broken: Error | undefined;
  far.on("error", (error) => {
    broken = error;
  });
  const heard = readingAlong(far, onHeard);
  const relay = relayTo(far);
  try {
    await once(relay, "listening");
    const { port } = relay.address() as AddressInfo;
    const args = ["-c", "-T", String(fetchSeconds), "-p", String(port), "-t", type, "127.0.0.1"];
    const answer = await keyscan(args, signal);
    const offered = offeredIn(heard());
    const [, base64] = /^\S+-cert-v01@openssh\.com (\S+)$/m.exec(answer.stdout) ?? [];
    if (base64 !== undefined) return { certificate: Buffer.from(base64, "base64"), offered };
    if (!signal.aborted) reasonIn(answer);
    if (signal.aborted || answer.failure?.signal) throw new NotYet("ssh-keyscan was ended");
    // The server's part of the key exchange follows its greeting, and names what it has.
    if (!/^SSH-[^\n]*\n[\s\S]/m.test(heard()))
      throw broken instanceof NotYet ? broken : new NotYet(broken?.message ?? "it closed the connection");
    if (offered.some((name) => certificateTypes[type].test(name)))
      throw new CannotFetch(`is offered, and ssh-keyscan did not get it${said(answer.stderr)}`);
    return { certificate: undefined, offered };
  } finally {
    relay.close();
    far.destroy();
  }
}

/** Throws where it was not the server's doing that no certificate came. */
function reasonIn({ failure, stderr }: KeyscanOutput): void {
  if (failure?.killed) throw new NotYet(`no answer to ssh-keyscan within ${fetchSeconds} s`);
  if (failure?.code === "ENOENT") throw new CannotFetch("cannot be fetched: there is no ssh-keyscan here");
  if (/usage: ssh-keyscan/.test(stderr))
    throw new CannotFetch("cannot be fetched: the ssh-keyscan here is too old to ask for one");
  if (typeof failure?.code === "string")
    throw new CannotFetch(`cannot be fetched: ssh-keyscan does not run: ${failure.message}`);
}

/** What ssh-keyscan wrote besides the greetings of servers. */
function said(stderr: string): string {
  const lines = lastLines(stderr.replaceAll(/^#.*$/gm, ""));
  return lines === "" ? "" : `:\n${lines}`;
}

/** Keeps the first that a server says, which is not encrypted. */
function readingAlong(far: Duplex, onHeard: () => void): () => string {
  let said = "";
  far.on("data", (chunk: Buffer) => {
    onHeard();
    if (said.length < maxGreeting) said += chunk.toString("latin1");
  });
  // Nothing of it may be lost before there is somebody to read it.
  far.pause();
  return () => said;
}

const offeredIn = (said: string) =>
  said.match(/(ssh-ed25519|ecdsa-sha2-nistp\d+|rsa-sha2-\d+|ssh-rsa)-cert-v01@openssh\.com/g) ?? [];

/** A port on loopback whose first visitor gets the stream. */
function relayTo(far: Duplex): Server {
  const server = createServer((near) => {
    server.close();
    near.on("error", () => undefined);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  return server.listen(0, "127.0.0.1");
}

interface KeyscanOutput {
  readonly failure: ExecFileException | null;
  readonly stdout: string;
  readonly stderr: string;
}

function keyscan(args: readonly string[], signal: AbortSignal): Promise<KeyscanOutput> {
  const limits = { timeout: fetchSeconds * 1000, killSignal: "SIGKILL", signal } as const;
  return new Promise((resolve) => {
    const child = execFile("ssh-keyscan", args, { ...limits, windowsHide: true }, (failure, stdout, stderr) =>
      resolve({ failure, stdout, stderr }),
    );
    child.stdin?.end();
  });
}
