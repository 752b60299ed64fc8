import { spawn } from "node:child_process";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import type { Connection } from "./connection.ts";
import { type Endpoint, fieldOf } from "./endpoint.ts";
import { HostError, type HostName, lastLines } from "./errors.ts";
import { harmless } from "./harmless.ts";

/** An attempt that may well succeed a little later: the host boots, or the network is not there yet. */
export class NotYet extends Error {
  override readonly name = "NotYet";

  constructor(message: string, options?: ErrorOptions) {
    super(harmless(message), options);
  }
}

/** The machine through which another is reached. */
export interface Hop {
  readonly host: HostName;
  /** It is talking to us at this moment. */
  readonly answering: boolean;
  /** The connection to it, or one attempt at it; rejects with {@link NotYet} or a HostError. */
  attempt(): Promise<Connection>;
}

/** How long a connection may take to open before the SSH protocol begins. */
const openSeconds = 15;

/**
 * Node tries the addresses of a name one after the other, and by default gives each less time than a slow
 * link takes.
 */
const addressTimeMs = 5000;

/**
 * Opens the stream that an SSH connection will run on. Rejects with {@link NotYet}, or with a HostError that
 * names who failed.
 */
export async function openWay(
  endpoint: Endpoint,
  via: Hop | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  if (via) return await throughHop(endpoint, via, signal);
  if (endpoint.proxyCommand !== undefined) return throughCommand(endpoint.proxyCommand, signal);
  return await directly(endpoint, signal);
}

function directly(endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
  const { address: host, port } = endpoint;
  const socket = connectTcp({ host, port, noDelay: true, autoSelectFamilyAttemptTimeout: addressTimeMs });
  const opened = new Promise<Duplex>((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error) =>
      reject(unresolved(endpoint, error) ?? new NotYet(reasonOf(error), { cause: error })),
    );
  });
  return limited(opened, signal, () => socket.destroy());
}

async function throughHop(endpoint: Endpoint, via: Hop, signal: AbortSignal): Promise<Duplex> {
  const hop = `its jump host ${via.host.name} (${via.host.target})`;
  const connection = await via.attempt().catch((error: unknown) => {
    if (error instanceof NotYet)
      throw new NotYet(`${hop} does not answer: ${error.message}`, { cause: error });
    if (!(error instanceof HostError)) throw error;
    throw new HostError(endpoint.host, error.kind, `${hop} cannot be used: ${error.what}`, error.hint, error);
  });
  return await openThrough(connection, endpoint, signal).catch((error: Error) => {
    throw error instanceof NotYet ? error : notForwarded(endpoint, via, error);
  });
}

/**
 * The stream that a jump host opens to where an endpoint listens. Rejects with {@link NotYet} if that takes
 * too long, else with the words of its SSH server, see {@link notForwarded}.
 */
export async function openThrough(
  connection: Connection,
  { address, port }: Pick<Endpoint, "address" | "port">,
  signal: AbortSignal,
): Promise<Duplex> {
  const opening = connection.forward(address, port);
  const close = (late: Duplex) => late.destroy();
  return await limited(opening, signal, () => void opening.then(close, () => undefined));
}

/** Channel open failures of RFC 4254, 5.1. */
const prohibited = 1;
const connectFailed = 2;

/**
 * The jump host tried, and nobody took the connection. That there is no network between proves nothing of the
 * port.
 */
export const nobodyThere = (error: Error & { reason?: unknown }) =>
  error.reason === connectFailed && !/network is unreachable/i.test(error.message);

/**
 * Words why a jump host opened no connection to where an endpoint listens: {@link NotYet}, or a HostError.
 */
export function notForwarded(endpoint: Endpoint, via: Hop, error: Error & { reason?: unknown }): Error {
  const { host, address, port } = endpoint;
  const said = error.message.replace("(SSH) Channel open failure: ", "");
  const what = `its jump host ${via.host.name} (${via.host.target}) opened no connection to ${address} port ${port}: ${said}`;
  if (error.reason === prohibited) {
    const hint = `allow it there: AllowTcpForwarding and PermitOpen in /etc/ssh/sshd_config, no-port-forwarding in authorized_keys`;
    return new HostError(host, "refused", what, hint, error);
  }
  if (/unknown host|not known|name resolution/i.test(said)) {
    const hint = `the name must be known on the jump host; correct ${fieldOf(endpoint, "address")}`;
    return new HostError(host, "unreachable", what, hint, error);
  }
  return new NotYet(what, { cause: error });
}

/** Runs a ProxyCommand of the operator's own ssh config: its stdin and stdout are the connection. */
function throughCommand(command: string, signal: AbortSignal): Duplex {
  const windows = process.platform === "win32";
  // In a process group of its own: Ctrl-C ends us after the step in progress, and must not cut its connection
  // before.
  const options = { shell: true, detached: !windows, windowsHide: true };
  const child = spawn(windows ? command : `exec ${command}`, options);
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(windows ? child.pid : -child.pid);
    } catch {
      // It has ended by itself.
    }
  };
  const stream = new Duplex({
    read: () => void child.stdout.resume(),
    // Its end says more than a pipe that broke.
    write: (chunk, _encoding, done) => void child.stdin.write(chunk, () => done()),
    final: (done) => void child.stdin.end(() => done()),
    destroy(error, done) {
      end();
      done(error);
    },
  });
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (chunk) => {
    if (!stream.push(chunk)) child.stdout.pause();
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  child.once("error", (error) => stream.destroy(new NotYet(`cannot run ${command}: ${error.message}`)));
  child.once("close", (code) => {
    const words = `the ProxyCommand of your ssh config ended (exit code ${code}): ${command}`;
    stream.destroy(new NotYet([words, lastLines(said)].filter((line) => line !== "").join("\n")));
  });
  signal.addEventListener("abort", end, { once: true });
  return stream;
}

/** @param giveUp closes what comes too late */
function limited<T>(opening: Promise<T>, signal: AbortSignal, giveUp: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      giveUp();
      reject(new NotYet(why));
    };
    const timer = setTimeout(() => fail(`no connection within ${openSeconds} s`), openSeconds * 1000);
    const aborted = () => fail("the connections were closed");
    signal.addEventListener("abort", aborted, { once: true });
    const settled = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    };
    opening.then(resolve, reject).finally(settled);
  });
}

function unresolved(endpoint: Endpoint, error: Error & { code?: string }): HostError | undefined {
  if (error.code !== "ENOTFOUND") return undefined;
  const hint = `correct ${fieldOf(endpoint, "address")}, or look at your DNS (a tailnet name needs Tailscale to be up)`;
  return new HostError(
    endpoint.host,
    "unreachable",
    `the name ${endpoint.address} cannot be resolved`,
    hint,
    error,
  );
}

/** A name with several addresses fails with an error for each and no text of its own. */
export function reasonOf(error: Error): string {
  const parts: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return parts.map((part) => (part instanceof Error ? part.message : String(part))).join(", ");
}
