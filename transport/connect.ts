import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import type { Credentials } from "#inventory/inventory.ts";
import { type LoginMethod, loginMethods } from "./authentication.ts";
import { Connection } from "./connection.ts";
import { type Endpoint, fieldOf } from "./endpoint.ts";
import { HostError, type HostName } from "./errors.ts";
import {
  type HostKeyAlgorithm,
  judgeKey,
  type KeyVerdict,
  type KnownKey,
  keyAlgorithms,
  knownHostsName,
  otherAlgorithms,
  readKnownHosts,
} from "./host-keys/host-key.ts";
import { keyError } from "./host-keys/key-error.ts";
import { type Unvouched, vouchedKey } from "./host-keys/vouch.ts";
import { type Hop, NotYet, openWay, reasonOf } from "./way.ts";

/** For the whole of handshake and login: some ten round trips, more where an agent has many keys. */
const loginSeconds = 30;

/** What a server says before the login is kept up to here. */
const maxBanner = 8192;

/** Checksums of packets that we accept, best first; no SHA-1. */
const macs = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
] as const satisfies ssh2.MacAlgorithm[];

/** All that one attempt to connect needs. */
export interface Destination {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials | undefined;
  /** The last jump host before it; `undefined`: reached directly. */
  readonly via: Hop | undefined;
}

/** Told while a connection is made and used. */
export interface Listener {
  /** A script was sent to a worker; logins are not counted. */
  onRoundTrip(): void;
  /** The host sent something: it is there, and slow at worst. */
  onHeard(): void;
}

/**
 * Opens one connection. Rejects with {@link NotYet} where trying again makes sense, else with a HostError.
 */
export async function connect(
  destination: Destination,
  listener: Listener,
  signal: AbortSignal,
): Promise<Connection> {
  const { endpoint } = destination;
  const known = knownKeys(endpoint);
  const plain = known.some(({ mark }) => mark === undefined);
  const authority = known.some(({ mark }) => mark === "authority");
  if (authority && !plain) return await attemptVouched(destination, known, listener, signal);
  try {
    return await attempt(destination, { known }, keyAlgorithms(known), listener, signal);
  } catch (error) {
    if (!refusedKey(error, endpoint.host)) throw error;
    if (authority) return await attemptVouched(destination, known, listener, signal);
    if (endpoint.hostKey === undefined) throw error;
    // A host shows one of its keys, and a pin does not tell of which type it is: it may be the pin of another
    // one.
    for (const algorithm of otherAlgorithms) {
      const other = await attempt(destination, { known }, [algorithm], listener, signal).catch(
        () => undefined,
      );
      if (other) return other;
    }
    throw error;
  }
}

/**
 * An attempt that also takes the key for which a certificate of the host vouches. ssh2 takes plain keys only,
 * so the key exchange proves that the host owns the key, and the certificate, fetched apart, that the key is
 * this host's.
 */
async function attemptVouched(
  destination: Destination,
  known: readonly KnownKey[],
  listener: Listener,
  signal: AbortSignal,
): Promise<Connection> {
  const { endpoint, via } = destination;
  const way = { open: () => openWay(endpoint, via, signal), onHeard: () => listener.onHeard() };
  const vouched = await vouchedKey(endpoint, known, way, signal);
  if ("faults" in vouched)
    return await attempt(destination, { known, unvouched: vouched }, keyAlgorithms(known), listener, signal);
  return await attempt(
    destination,
    { known: [...known, vouched] },
    keyAlgorithms([vouched]),
    listener,
    signal,
  );
}

/** By what a host's key is judged. */
interface Trusted {
  readonly known: readonly KnownKey[];
  /** Where known_hosts trusts an authority for the host, and nothing came of it. */
  readonly unvouched?: Unvouched | undefined;
}

/** The key refused is that of the host itself, not of a jump host before it. */
const refusedKey = (error: unknown, { name }: HostName) =>
  error instanceof HostError && error.kind === "key" && error.host === name && error.cause === undefined;

async function attempt(
  destination: Destination,
  { known, unvouched }: Trusted,
  serverHostKey: HostKeyAlgorithm[],
  listener: Listener,
  signal: AbortSignal,
): Promise<Connection> {
  const { endpoint, credentials, via } = destination;
  const { host, user } = endpoint;
  const methods = loginMethods(endpoint, credentials);
  const sock = await openWay(endpoint, via, signal);
  sock.on("data", () => listener.onHeard());
  const client = new ssh2.Client();
  let verdict: KeyVerdict | undefined;
  let banner = "";
  let broken: Error | undefined;
  sock.once("error", (error) => {
    broken = error;
  });

  return await new Promise((resolve, reject) => {
    const fail = (error: Failure) => {
      // The agent is gone, or would not sign with this key: the next key is tried.
      if (error.level === "agent") return;
      signal.removeEventListener("abort", aborted);
      reject(
        broken instanceof NotYet
          ? broken
          : loginError(destination, methods, { verdict, known, unvouched, banner }, error),
      );
      discard(client, sock);
    };
    client.on("banner", (text) => {
      banner = `${banner}${text}`.slice(0, maxBanner);
    });
    client.on("error", fail);
    const aborted = () => fail(new Error("the connections were closed"));
    signal.addEventListener("abort", aborted);
    const closed = () => fail(new Error("the connection was closed before the login was complete"));
    client.on("close", closed);
    client.on("ready", () => {
      signal.removeEventListener("abort", aborted);
      client.off("error", fail).off("close", closed);
      resolve(new Connection(host, client, { via: via?.host, onRoundTrip: () => listener.onRoundTrip() }));
    });
    client.connect({
      sock,
      username: user,
      readyTimeout: loginSeconds * 1000,
      // Often enough to tell a link that is down from a command that says nothing.
      keepaliveInterval: 5_000,
      keepaliveCountMax: 7,
      algorithms: { serverHostKey, hmac: [...macs] },
      hostVerifier: (key: Buffer) => {
        verdict = judgeKey(key, known);
        return verdict.state === "known";
      },
      authHandler: methods.map(({ method }) => method),
    });
  });
}

/** Ends an attempt that failed; what the stream still has to say is of no interest. */
function discard(client: ssh2.Client, sock: Duplex): void {
  client.on("error", () => undefined);
  sock.on("error", () => undefined);
  client.destroy();
  sock.destroy();
}

function knownKeys(endpoint: Endpoint): KnownKey[] {
  const { hostKey, knownHosts, knownAs, address, port } = endpoint;
  const held = readKnownHosts(knownHosts, knownAs ?? knownHostsName(address, port));
  // As ssh does: what is said of authorities and revoked keys for the bare name counts on every port.
  const otherwise = knownAs !== undefined || port === 22;
  const bare = otherwise ? [] : readKnownHosts(knownHosts, knownHostsName(address, 22));
  if (hostKey === undefined) {
    if (held.some(({ mark }) => mark === "authority")) return held;
    return [...held, ...bare.filter(({ mark }) => mark !== undefined)];
  }
  const source = fieldOf(endpoint, "hostKey");
  const revoked = [...held, ...bare].filter(({ mark }) => mark === "revoked");
  return [{ type: undefined, fingerprint: hostKey, mark: undefined, source }, ...revoked];
}

type Failure = Error & { level?: string; code?: string };

interface Seen extends Trusted {
  readonly verdict: KeyVerdict | undefined;
  readonly banner: string;
}

function loginError(
  { endpoint }: Destination,
  methods: readonly LoginMethod[],
  { verdict, known, unvouched, banner }: Seen,
  error: Failure,
): Error {
  const { host, address, port, user } = endpoint;
  const place = `${address} port ${port}`;
  if (verdict !== undefined && verdict.state !== "known")
    return keyError(endpoint, verdict, known, unvouched);
  if (error.level === "client-authentication") {
    // pam_nologin: during boot and shutdown only root is let in.
    if (/not permitted to log in|booting up|going down/i.test(banner)) return new NotYet(banner.trim());
    const tried = methods.map(({ label }) => `\n  tried ${label}`).join("");
    const certificates = endpoint.certificateFiles
      .map((file) => `\n  not tried: the certificate ${file} (certificates for the login are not supported)`)
      .join("");
    const hint = [
      `put a public key into ~${user}/.ssh/authorized_keys there; check ${fieldOf(endpoint, "user")} and identityFile`,
      ...(user === "root"
        ? ["or log in as another user with sudo: sshd may refuse root (PermitRootLogin)"]
        : []),
    ].join("\n");
    return new HostError(
      host,
      "auth",
      `${place} let ${user} in with no key${tried}${certificates}`,
      hint,
      error,
    );
  }
  if (/too many authentication failures/i.test(error.message)) {
    const tried = methods.map(({ label }) => `\n  tried ${label}`).join("");
    const hint = `name the right key, so that the agent shows no other: ${fieldOf(endpoint, "identityFile")} (its .pub file will do)`;
    return new HostError(
      host,
      "auth",
      `${place} was shown more keys than it takes (MaxAuthTries)${tried}`,
      hint,
      error,
    );
  }
  if (error.level === "handshake" && /no matching/i.test(error.message))
    return new HostError(
      host,
      "refused",
      `no common SSH algorithm with ${place}: ${error.message}`,
      undefined,
      error,
    );
  return new NotYet(reasonOf(error), { cause: error });
}
