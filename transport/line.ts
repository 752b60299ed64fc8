import { setTimeout as sleep } from "node:timers/promises";
import { connect, type Destination, NotYet } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { HostError } from "./errors.ts";

/** Told about a host that is waited for: at once, then every few seconds. */
export type OnWait = (message: string) => void;

const RETRY_MS = 500;
const SAY_MS = 5000;
/** A host that was just given up is not waited for as long again by each of its resources in turn. */
const GIVEN_UP_MS = 60_000;
const ONE_MORE_TRY_SECONDS = 3;

/** The one connection to a host: made when needed, shared by all who ask, made anew after it broke. */
export class Line {
  readonly #destination: Destination;
  readonly #onRoundTrip: () => void;
  readonly #prepare: (connection: Connection) => Promise<void>;
  readonly #closing = new AbortController();
  #current: Connection | undefined;
  #attempt: Promise<Connection> | undefined;
  #givenUp = { at: Number.NEGATIVE_INFINITY, afterSeconds: 0 };

  /** @param prepare done with each new connection before anybody gets it */
  constructor(
    destination: Destination,
    onRoundTrip: () => void,
    prepare: (connection: Connection) => Promise<void>,
  ) {
    this.#destination = destination;
    this.#onRoundTrip = onRoundTrip;
    this.#prepare = prepare;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * The connection, made if need be. Tries again for `withinSeconds` while the host does not answer, as one that boots;
   * rejects at once where waiting is no use (key, login, name).
   */
  async connected(withinSeconds: number, onWait: OnWait = () => undefined): Promise<Connection> {
    const start = performance.now();
    const deadline = start + this.#patience(start, withinSeconds) * 1000;
    const seconds = () => (performance.now() - start) / 1000;
    const say = sparingly(onWait);
    for (let tries = 1; ; tries += 1) {
      if (this.closed)
        throw new HostError(this.#destination.subject, "closed", "the connections were closed");
      if (this.#current?.alive) return this.#current;
      const outcome = await within(this.#shared(), deadline - performance.now());
      if (!(outcome instanceof NotYet)) return outcome;
      if (performance.now() + RETRY_MS >= deadline) {
        this.#givenUp = { at: performance.now(), afterSeconds: withinSeconds };
        throw this.#unreachable(outcome, tries, seconds());
      }
      const { name, target } = this.#destination.subject;
      say(`${name} (${target}) does not answer yet: ${outcome.message}`);
      await sleep(RETRY_MS);
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
    const connection = await connect(this.#destination, this.#onRoundTrip, this.#closing.signal);
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

  #patience(now: number, withinSeconds: number): number {
    const { at, afterSeconds } = this.#givenUp;
    if (now - at > GIVEN_UP_MS) return withinSeconds;
    return Math.min(withinSeconds, Math.max(withinSeconds - afterSeconds, ONE_MORE_TRY_SECONDS));
  }

  #unreachable(error: NotYet, tries: number, seconds: number): HostError {
    const { subject, entry } = this.#destination;
    const { address, port, user } = entry;
    const what = `no SSH login at ${address} port ${port} after ${tries} ${tries === 1 ? "try" : "tries"} in ${seconds.toFixed(0)} s: ${error.message}`;
    const hint = `is it on, is hosts.${subject.name}.address right, does sshd run there? try: ssh -p ${port} ${user}@${address}`;
    return new HostError(subject, "unreachable", what, hint, error);
  }
}

/** Settles with `NotYet` as a value where trying again makes sense, also when the time is over. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | NotYet> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<NotYet>((resolve) => {
    const seconds = Math.max(0, milliseconds / 1000).toFixed(0);
    timer = setTimeout(() => resolve(new NotYet(`no answer within ${seconds} s`)), milliseconds);
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
    if (performance.now() - saidAt < SAY_MS) return;
    saidAt = performance.now();
    say(message);
  };
}
