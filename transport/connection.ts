import type { Duplex } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { sh } from "./command.ts";
import { HostError, type Subject, shortened } from "./errors.ts";
import { type Login, openRootShell } from "./login.ts";
import { type RawFinished, type Request, type Traffic, Worker } from "./worker.ts";

/** sshd allows 10 sessions a connection; 6 were seen never to fail. One of them is kept for the lock. */
const MAX_WORKERS = 5;

/** One SSH connection that is up, and the worker shells on it. */
export class Connection {
  readonly #login: Login;
  readonly #client: Client;
  readonly #workers = new Set<Worker>();
  readonly #queue: Request[][] = [];
  #opening = 0;
  #most = MAX_WORKERS;
  #retired = false;
  /** Why the connection is of no use any more. */
  #lost: HostError | undefined;
  /** sudo's refusal of our password; asking again would not change it. */
  #refusal: HostError | undefined;
  readonly #onRoundTrip: () => void;
  readonly #traffic: Traffic = { bytesOut: 0, heardAt: 0 };
  /** Connections to other machines that run through this one. */
  #passing = 0;

  /**
   * @param via the jump host it runs through
   * @param onRoundTrip called for each script sent to a worker; logins are not counted
   */
  constructor(
    login: Login,
    client: Client,
    { via, onRoundTrip }: { readonly via?: Subject | undefined; onRoundTrip(): void },
  ) {
    this.#login = login;
    this.#client = client;
    this.#onRoundTrip = onRoundTrip;
    const whose = via ? `the host, or by its jump host ${via.name} (${via.target})` : "the host";
    client.on("error", (error) => this.drop(`the connection broke: ${error.message}`));
    client.on("close", () => this.drop(`the connection was closed by ${whose}`));
  }

  get alive(): boolean {
    return this.#lost === undefined;
  }

  /** Sends requests as one script to the next free worker. The promise resolves when all are answered; it never rejects. */
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
   * A shell of its own, apart from the workers; `undefined` where the host allows no further session on this connection.
   * Rejects with a HostError.
   */
  async dedicated(): Promise<Worker | undefined> {
    // It must not take the only session there is: a worker comes first, and is needed anyway.
    if (this.#workers.size === 0) await Promise.all(this.submit([{ command: sh`:`, timeoutSeconds: 20 }]));
    try {
      return await this.#shell();
    } catch (error) {
      if (this.#lost || error instanceof HostError) throw this.#asHostError(error);
      return undefined;
    }
  }

  /** The shell of a connection that is used for nothing else. Rejects with a HostError. */
  async only(): Promise<Worker> {
    try {
      return await this.#shell();
    } catch (error) {
      throw this.#asHostError(error);
    }
  }

  /** A stream to another machine, as this host sees it. Rejects with the words of its SSH server. */
  async forward(address: string, port: number): Promise<Duplex> {
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      this.#client.forwardOut("127.0.0.1", 0, address, port, (error, opened) =>
        error ? reject(error) : resolve(opened),
      );
    });
    this.#passing += 1;
    channel.once("close", () => {
      this.#passing -= 1;
      this.#pump();
    });
    return channel;
  }

  /** Ends the connection at once; what is under way rejects. */
  drop(why: string): void {
    if (this.#lost) return;
    this.#lost = new HostError(this.#login.subject, "lost", why);
    this.#failQueue(this.#lost);
    this.#client.end();
    // A host that has gone silent never answers the farewell; it must not keep our process.
    setTimeout(() => this.#client.destroy(), 500).unref();
  }

  /** Ends the connection when all that is under way has come to its end. */
  retire(): void {
    this.#retired = true;
    this.#pump();
  }

  #pump(): void {
    const useless = this.#lost ?? this.#refusal;
    if (useless) {
      this.#failQueue(useless);
      return;
    }
    const idle = [...this.#workers].filter((worker) => worker.idle);
    for (const worker of idle) {
      const batch = this.#queue.shift();
      if (!batch) break;
      this.#onRoundTrip();
      void worker.perform(batch).then(() => this.#pump());
    }
    while (this.#opening < this.#queue.length && this.#workers.size + this.#opening < this.#room()) {
      this.#opening += 1;
      void this.#openWorker();
    }
    const idleAll = [...this.#workers].every((worker) => worker.idle);
    const quiet = this.#queue.length === 0 && this.#passing === 0 && idleAll;
    if (this.#retired && quiet) this.drop("the connection was replaced by a new one");
  }

  /** A password is tried once, not by all workers together: wrong ones may lock the account. */
  #room(): number {
    return this.#login.sudoPassword !== undefined && this.#workers.size === 0 ? 1 : this.#most;
  }

  async #openWorker(): Promise<void> {
    try {
      const worker = await this.#shell();
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
      else this.#failQueue(this.#asHostError(error));
      if (error instanceof HostError && error.kind === "auth") this.#refusal = error;
    }
    this.#pump();
  }

  async #shell(): Promise<Worker> {
    const { subject } = this.#login;
    const shell = await openRootShell(this.#login, (command) => this.#exec(command));
    return new Worker(subject, shell, this.#traffic, (error) => this.drop(error.what));
  }

  #exec(command: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
    });
  }

  #asHostError(error: unknown): HostError {
    if (this.#lost) return this.#lost;
    if (error instanceof HostError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new HostError(
      this.#login.subject,
      "refused",
      `the SSH server opened no session: ${reason}`,
      "look at MaxSessions in /etc/ssh/sshd_config and at its log: journalctl -u ssh -n 20",
      error,
    );
  }

  #failQueue(error: HostError): void {
    for (const request of this.#queue.splice(0).flat()) {
      const what = `${error.what}\n  not run: ${shortened(request.command)}`;
      request.reject(new HostError(this.#login.subject, error.kind, what, error.hint, error));
    }
  }
}
