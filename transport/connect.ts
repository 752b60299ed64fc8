import { readFileSync } from "node:fs";
import { join } from "node:path";
import ssh2 from "ssh2";
import { type LoginMethod, loginMethods, type Surroundings } from "./authentication.ts";
import { Connection } from "./connection.ts";
import { HostError, type Subject } from "./errors.ts";
import {
  type HostKeyAlgorithm,
  judgeKey,
  type KeyVerdict,
  type KnownKey,
  keyAlgorithms,
  parseKnownHosts,
} from "./host-key.ts";
import type { Credentials, HostEntry } from "./inventory.ts";

const READY_SECONDS = 15;

/** All that one attempt to connect needs. */
export interface Destination {
  readonly subject: Subject;
  readonly entry: HostEntry;
  readonly credentials: Credentials | undefined;
  readonly surroundings: Surroundings;
}

/** An attempt that may well succeed a little later: the host boots, or the network is not there yet. */
export class NotYet extends Error {
  override readonly name = "NotYet";
}

/** How an operator reaches a host: `ops@10.0.0.11`, `root@[fd00::1]:2222`. */
export function targetOf({ user, address, port }: HostEntry): string {
  const bracketed = address.includes(":") ? `[${address}]` : address;
  return `${user}@${bracketed}${port === 22 ? "" : `:${port}`}`;
}

/** Opens one connection. Rejects with {@link NotYet} where trying again makes sense, else with a HostError. */
export async function connect(
  destination: Destination,
  onRoundTrip: () => void,
  signal: AbortSignal,
): Promise<Connection> {
  const { entry, surroundings } = destination;
  const known = knownKeys(entry, surroundings.home);
  try {
    return await attempt(destination, known, keyAlgorithms(known), onRoundTrip, signal);
  } catch (error) {
    const pinned = entry.hostKey !== undefined;
    if (!pinned || !(error instanceof HostError) || error.kind !== "key") throw error;
    // A host shows one of its keys, and a pin does not tell of which type it is: it may be the pin of another one.
    for (const algorithm of ["ecdsa-sha2-nistp256", "rsa-sha2-512"] as const) {
      const other = await attempt(destination, known, [algorithm], onRoundTrip, signal).catch(
        () => undefined,
      );
      if (other) return other;
    }
    throw error;
  }
}

function attempt(
  destination: Destination,
  known: readonly KnownKey[],
  serverHostKey: HostKeyAlgorithm[],
  onRoundTrip: () => void,
  signal: AbortSignal,
): Promise<Connection> {
  const { subject, entry, credentials, surroundings } = destination;
  const methods = loginMethods(subject, entry, credentials, surroundings);
  const client = new ssh2.Client();
  let verdict: KeyVerdict | undefined;
  let banner = "";

  return new Promise((resolve, reject) => {
    const fail = (error: Error & { level?: string; code?: string }) => {
      signal.removeEventListener("abort", aborted);
      reject(explained(destination, methods, verdict, banner, error));
      client.destroy();
    };
    client.on("banner", (text) => {
      banner += text;
    });
    client.on("error", fail);
    const aborted = () => fail(new Error("the connections were closed"));
    signal.addEventListener("abort", aborted);
    const closed = () => fail(new Error("the connection was closed before the login was complete"));
    client.on("close", closed);
    client.on("ready", () => {
      // Without this each request waits some 40 ms for Nagle's algorithm.
      client.setNoDelay(true);
      signal.removeEventListener("abort", aborted);
      client.off("error", fail).off("close", closed);
      const login = { subject, user: entry.user, sudoPassword: credentials?.sudoPassword };
      resolve(new Connection(login, client, onRoundTrip));
    });
    client.connect({
      host: entry.address,
      port: entry.port,
      username: entry.user,
      readyTimeout: READY_SECONDS * 1000,
      keepaliveInterval: 10_000,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey },
      hostVerifier: (key: Buffer) => {
        verdict = judgeKey(key, known);
        return verdict.state === "known";
      },
      authHandler: methods.map(({ method }) => method),
    });
  });
}

function knownKeys({ hostKey, address, port }: HostEntry, home: string): KnownKey[] {
  if (hostKey !== undefined) return [{ type: undefined, fingerprint: hostKey, revoked: false }];
  try {
    return parseKnownHosts(readFileSync(join(home, ".ssh", "known_hosts"), "utf8"), address, port);
  } catch {
    return []; // no such file: no key is known, which the verdict says
  }
}

function explained(
  { subject, entry }: Destination,
  methods: readonly LoginMethod[],
  verdict: KeyVerdict | undefined,
  banner: string,
  error: Error & { level?: string; code?: string },
): Error {
  const place = `${entry.address} port ${entry.port}`;
  if (verdict !== undefined && verdict.state !== "known") return keyError(subject, entry, verdict);
  if (error.level === "client-authentication") {
    // pam_nologin: during boot and shutdown only root is let in.
    if (/not permitted to log in|booting up|going down/i.test(banner)) return new NotYet(banner.trim());
    const tried = methods.map(({ label }) => `\n  tried ${label}`).join("");
    const hint = `put a public key into ~${entry.user}/.ssh/authorized_keys there; check hosts.${subject.name}.user and identityFile`;
    return new HostError(subject, "auth", `${place} let ${entry.user} in with no key${tried}`, hint, error);
  }
  if (error.code === "ENOTFOUND")
    return new HostError(
      subject,
      "unreachable",
      `the name ${entry.address} cannot be resolved`,
      `correct hosts.${subject.name}.address, or look at your DNS (a tailnet name needs Tailscale to be up)`,
      error,
    );
  if (error.level === "handshake" && /no matching/i.test(error.message))
    return new HostError(
      subject,
      "refused",
      `no common SSH algorithm with ${place}: ${error.message}`,
      undefined,
      error,
    );
  return new NotYet(reasonOf(error), { cause: error });
}

/** A name with several addresses fails with an error for each and no text of its own. */
function reasonOf(error: Error): string {
  const parts: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return parts.map((part) => (part instanceof Error ? part.message : String(part))).join(", ");
}

function keyError(
  subject: Subject,
  entry: HostEntry,
  verdict: Exclude<KeyVerdict, { state: "known" }>,
): HostError {
  const { address, port } = entry;
  const field = `hosts.${subject.name}.hostKey`;
  const compare = `on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`;
  if (verdict.state === "unknown") {
    const what = `the SSH host key of ${address} port ${port} is not known: ${verdict.fingerprint}`;
    return new HostError(
      subject,
      "key",
      what,
      `compare it (${compare}), then add to its entry:\nhostKey: "${verdict.fingerprint}"`,
    );
  }
  if (verdict.state === "revoked")
    return new HostError(
      subject,
      "key",
      `the SSH host key of ${address} port ${port} is revoked in ~/.ssh/known_hosts: ${verdict.fingerprint}`,
      "give the host a new key; do not log in to it before you know why it was revoked",
    );
  const source = entry.hostKey === undefined ? "~/.ssh/known_hosts" : field;
  const what = [
    `the SSH host key of ${address} port ${port} is not the one we know`,
    `  it shows ${verdict.fingerprint}`,
    `  expected ${verdict.expected.join(" or ")} (${source})`,
  ].join("\n");
  const hint = `installed anew, or another machine has its address, or somebody is between: compare ${compare}\nif it is right, set ${field}: "${verdict.fingerprint}"`;
  return new HostError(subject, "key", what, hint);
}
