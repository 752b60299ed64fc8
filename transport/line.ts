import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Destination } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { type Endpoint, fieldOf } from "./endpoint.ts";
import { HostError, type HostName } from "./errors.ts";
import { type Hop, NotYet } from "./way.ts";

/** Told about a host that is waited for: at once, then every few seconds. */
export type OnWait = (message: string) => void;

const retryMs = 500;
const sayMs = 5000;
/** A host that was just given up is not waited for as long again by each of its resources in turn. */
const givenUpMs = 60_000;
const oneMoreTrySeconds = 3;
/** Heard within this time, a host is slow and not silent: what it has begun may come to its end. */
const answeringMs = 5000;

/** The one connection to a host: made when needed, shared by all who ask, made anew after it broke. */
export class Line implements Hop {
  readonly #destination: Destination;
  readonly #onRoundTrip: () => void;
  readonly #prepare: (connection: Connection) => Promise<void>;
  readonly #closing = new AbortController();
  #current: Connection | undefined;
  #attempt: Promise<Connection> | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  #givenUp = { at: Number.NEGATIVE_INFINITY, afterSeconds: 0 };

  /** @param prepare done with each new connection before anybody gets it */
  constructor(
    destination: Destination,
    onRoundTrip: () => void = () => undefined,
    prepare: (connection: Connection) => Promise<void> = async () => undefined,
  ) {
    this.#destination = destination;
    this.#onRoundTrip = onRoundTrip;
    this.#prepare = prepare;
  }

  get endpoint(): Endpoint {
    return this.#destination.endpoint;
  }

  get host(): HostName {
    return this.endpoint.host;
  }

  get answering(): boolean {
    return performance.now() - this.#heardAt < answeringMs || this.#destination.via?.answering === true;
  }

  /**
   * For how long the host has sent nothing over a connection that is up, not even the answers that the SSH
   * protocol itself asks for every few seconds; 0 without a connection.
   */
  get silentSeconds(): number {
    return this.#current?.alive ? (performance.now() - this.#heardAt) / 1000 : 0;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * The connection, made if need be. Tries again for `withinSeconds` while the host does not answer, as one
   * that boots; a login that is under way then is waited for. Rejects at once where waiting is no use (key,
   * login, name).
   */
  async connected(withinSeconds: number, onWait: OnWait = () => undefined): Promise<Connection> {
    const start = performance.now();
    const deadline = start + this.#patience(start, withinSeconds) * 1000;
    const seconds = () => (performance.now() - start) / 1000;
    const say = sparingly(onWait);
    for (let tries = 1; ; tries += 1) {
      let outcome = await within(this.attempt(), deadline - performance.now());
      while (outcome === lateLimit && this.answering) outcome = await within(this.attempt(), lateMs);
      if (outcome === lateLimit) outcome = new NotYet(`no answer within ${seconds().toFixed(0)} s`);
      if (!(outcome instanceof NotYet)) return outcome;
      if (performance.now() + retryMs >= deadline) {
        this.#givenUp = { at: performance.now(), afterSeconds: withinSeconds };
        throw this.#unreachable(outcome, tries, seconds());
      }
      const { name, target } = this.host;
      say(`${name} (${target}) does not answer yet: ${outcome.message}`);
      await sleep(retryMs);
    }
  }

  async attempt(): Promise<Connection> {
    if (this.closed) throw new HostError(this.host, "closed", "the connections were closed");
    return this.#current?.alive ? this.#current : await this.#shared();
  }

  /** One more connection, apart from the one that is shared; whoever asks for it ends it. */
  async another(): Promise<Connection> {
    try {
      return await this.#connect();
    } catch (error) {
      throw error instanceof NotYet ? this.#unreachable(error, 1, 0) : error;
    }
  }

  /** Takes the present connection off the line, alive; the next who asks gets a new one. */
  detach(): Connection | undefined {
    const connection = this.#current;
    this.#current = undefined;
    return connection;
  }

  /** Puts a connection back on the line. */
  attach(connection: Connection): void {
    this.#current = connection;
  }

  /** Breaks the connection; what is under way on it rejects. */
  drop(why: string): void {
    this.detach()?.drop(why);
  }

  /** Breaks the connection for good, and any attempt to make one. */
  close(): void {
    this.#closing.abort();
    this.drop("the connections were closed");
  }

  /** One attempt at a time, shared by all who wait for it. */
  #shared(): Promise<Connection> {
    this.#attempt ??= this.#once().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  async #once(): Promise<Connection> {
    const connection = await this.#connect();
    try {
      await this.#prepare(connection);
    } catch (error) {
      connection.drop("it could not be prepared");
      throw error;
    }
    if (this.closed) connection.drop("the connections were closed");
    this.#current = connection;
    this.#givenUp = { at: Number.NEGATIVE_INFINITY, afterSeconds: 0 };
    return connection;
  }

  #connect(): Promise<Connection> {
    const onHeard = () => {
      this.#heardAt = performance.now();
    };
    const listener = { onRoundTrip: this.#onRoundTrip, onHeard };
    return connect(this.#destination, listener, this.#closing.signal);
  }

  #patience(now: number, withinSeconds: number): number {
    const { at, afterSeconds } = this.#givenUp;
    if (now - at > givenUpMs) return withinSeconds;
    return Math.min(withinSeconds, Math.max(withinSeconds - afterSeconds, oneMoreTrySeconds));
  }

  #unreachable(error: NotYet, tries: number, seconds: number): HostError {
    const { endpoint, via } = this.#destination;
    const { host, address, port, user } = endpoint;
    const through = via ? ` through ${via.host.name}` : "";
    const what = `no SSH login at ${address} port ${port}${through} after ${tries} ${tries === 1 ? "try" : "tries"} in ${seconds.toFixed(0)} s: ${error.message}`;
    const jump = via ? `-J ${via.host.target} ` : "";
    const hint = `is it on, is ${fieldOf(endpoint, "address")} right, does sshd run there? try: ssh ${jump}-p ${port} ${user}@${address}`;
    return new HostError(host, "unreachable", what, hint, error);
  }
}

const lateLimit = Symbol("late");
const lateMs = 1000;

/**
 * Settles with `NotYet` as a value where trying again makes sense, with `lateLimit` when the time is over.
 */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | NotYet | typeof lateLimit> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof lateLimit>((resolve) => {
    timer = setTimeout(() => resolve(lateLimit), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    if (error instanceof NotYet) return error;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function sparingly(say: OnWait): OnWait {
  let saidAt = Number.NEGATIVE_INFINITY;
  return (message) => {
    if (performance.now() - saidAt < sayMs) return;
    saidAt = performance.now();
    say(message);
  };
}
