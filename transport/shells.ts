import type { ClientChannel } from "ssh2";
import type { Dialect, RawFinished } from "./dialect.ts";
import { HostError, type HostName, shortened } from "./errors.ts";
import { type Request, type Traffic, Worker } from "./worker.ts";

/** Has an SSH server start a command. */
export type Exec = (command: string) => Promise<ClientChannel>;

/** Opens shells on one connection. */
export interface Opener {
  /** Opens one shell before it opens several at once. */
  readonly firstAlone: boolean;
  /**
   * A shell on a channel of its own, which waits for text on its stdin. Rejects with a HostError where the
   * host would not do it (`auth`: asking again on this connection would not change it), with the error of
   * `exec` where no channel opens.
   */
  open(exec: Exec): Promise<ClientChannel>;
}

/** A kind of shells that a connection may have: what they speak and how they are had. */
export interface ShellKind {
  /** Whose shells they are, for error texts. */
  readonly host: HostName;
  readonly dialect: Dialect;
  /** How many worker shells a connection has at most. */
  readonly most: number;
  /** What the operator looks at where the SSH server opens no session. */
  readonly sessionHint: string;
  /** A new opener, for one connection. */
  opener(): Opener;
}

/** What shells need of the connection they are on. */
export interface Link {
  readonly exec: Exec;
  /** Why the connection is of no use any more. */
  readonly lost: HostError | undefined;
  readonly traffic: Traffic;
  /** A script is sent to a worker. */
  onRoundTrip(): void;
  /** Something came to its end. */
  onProgress(): void;
  drop(why: string): void;
}

/** The worker shells of one kind on one connection, and the queue of what they are to run. */
export class Shells {
  readonly #kind: ShellKind;
  readonly #opener: Opener;
  readonly #link: Link;
  readonly #workers = new Set<Worker>();
  readonly #queue: Request[][] = [];
  #opening = 0;
  #most: number;
  /** The host's refusal of our password; asking again would not change it. */
  #refusal: HostError | undefined;

  constructor(kind: ShellKind, link: Link) {
    this.#kind = kind;
    this.#opener = kind.opener();
    this.#most = kind.most;
    this.#link = link;
  }

  /** Nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#queue.length === 0 && [...this.#workers].every((worker) => worker.idle);
  }

  /** Sends requests as one script to the next free worker, one promise each for its answer. */
  submit(requests: readonly Omit<Request, "resolve" | "reject">[]): Promise<RawFinished>[] {
    const batch: Request[] = [];
    const answers = requests.map(
      (request) => new Promise<RawFinished>((resolve, reject) => batch.push({ ...request, resolve, reject })),
    );
    this.#queue.push(batch);
    this.#pump();
    return answers;
  }

  /**
   * A shell of its own, apart from the workers; `undefined` where the host allows no further session on this
   * connection. Rejects with a HostError.
   */
  async dedicated(): Promise<Worker | undefined> {
    // It must not take the only session there is: a worker comes first, and is needed anyway.
    const { nothing: command } = this.#kind.dialect;
    if (this.#workers.size === 0) await Promise.all(this.submit([{ command, timeoutSeconds: 20 }]));
    try {
      return await this.#open();
    } catch (error) {
      if (this.#link.lost || error instanceof HostError) throw this.#asHostError(error);
      return undefined;
    }
  }

  /** The shell of a connection that is used for nothing else. Rejects with a HostError. */
  async only(): Promise<Worker> {
    try {
      return await this.#open();
    } catch (error) {
      throw this.#asHostError(error);
    }
  }

  /** Rejects what has not begun. */
  failQueue(error: HostError): void {
    for (const request of this.#queue.splice(0).flat()) {
      const what = `${error.what}\n  not run: ${shortened(request.command)}`;
      const { host } = this.#kind;
      request.reject(new HostError(host, error.kind, what, error.hint, error, error.missing));
    }
  }

  #pump(): void {
    const useless = this.#link.lost ?? this.#refusal;
    if (useless) {
      this.failQueue(useless);
      return;
    }
    const idle = [...this.#workers].filter((worker) => worker.idle);
    for (const worker of idle) {
      const batch = this.#queue.shift();
      if (!batch) break;
      this.#link.onRoundTrip();
      void worker.perform(batch).then(() => this.#pump());
    }
    while (this.#opening < this.#queue.length && this.#workers.size + this.#opening < this.#room()) {
      this.#opening += 1;
      void this.#openWorker();
    }
    this.#link.onProgress();
  }

  #room(): number {
    return this.#opener.firstAlone && this.#workers.size === 0 ? 1 : this.#most;
  }

  async #openWorker(): Promise<void> {
    try {
      const worker = await this.#open();
      this.#workers.add(worker);
      worker.onEnd(() => {
        this.#workers.delete(worker);
        this.#pump();
      });
      this.#opening -= 1;
    } catch (error) {
      this.#opening -= 1;
      // The host allows fewer sessions than we would use: make do with those there are.
      const others = this.#workers.size + this.#opening;
      if (others > 0) this.#most = others;
      else this.failQueue(this.#asHostError(error));
      if (error instanceof HostError && error.kind === "auth") this.#refusal = error;
    }
    this.#pump();
  }

  async #open(): Promise<Worker> {
    const { host, dialect } = this.#kind;
    const channel = await this.#opener.open(this.#link.exec);
    return new Worker(host, channel, dialect, this.#link.traffic, (error) => this.#link.drop(error.what));
  }

  #asHostError(error: unknown): HostError {
    if (this.#link.lost) return this.#link.lost;
    if (error instanceof HostError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    const { host, sessionHint } = this.#kind;
    const what = `the SSH server opened no session: ${reason}`;
    return new HostError(host, "refused", what, sessionHint, error);
  }
}
