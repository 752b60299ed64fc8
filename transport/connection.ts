import type { Duplex } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { HostError, type HostName } from "./errors.ts";
import { type Link, type ShellKind, Shells } from "./shells.ts";

/**
 * One SSH connection that is up: the shells on it, and the connections to other machines that run through it.
 */
export class Connection {
  readonly #host: HostName;
  readonly #client: Client;
  readonly #shells = new Map<ShellKind, Shells>();
  #retired = false;
  /** Why the connection is of no use any more. */
  #lost: HostError | undefined;
  readonly #link: Link;
  /** Connections to other machines that run through this one. */
  #passing = 0;

  /**
   * @param via the jump host it runs through
   * @param onRoundTrip called for each script sent to a worker; logins are not counted
   */
  constructor(
    host: HostName,
    client: Client,
    { via, onRoundTrip }: { readonly via?: HostName | undefined; onRoundTrip(): void },
  ) {
    this.#host = host;
    this.#client = client;
    const lost = () => this.#lost;
    this.#link = {
      exec: (command) => this.#exec(command),
      get lost() {
        return lost();
      },
      traffic: { bytesOut: 0, heardAt: 0 },
      onRoundTrip,
      onProgress: () => this.#endIfRetired(),
      drop: (why) => this.drop(why),
    };
    const whose = via ? `the host, or by its jump host ${via.name} (${via.target})` : "the host";
    client.on("error", (error) => this.drop(`the connection broke: ${error.message}`));
    client.on("close", () => this.drop(`the connection was closed by ${whose}`));
  }

  get alive(): boolean {
    return this.#lost === undefined;
  }

  /** Its shells of a kind; none is opened before it is needed. */
  shells(kind: ShellKind): Shells {
    const shells = this.#shells.get(kind) ?? new Shells(kind, this.#link);
    this.#shells.set(kind, shells);
    return shells;
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
      this.#endIfRetired();
    });
    return channel;
  }

  /** Ends the connection at once; what is under way rejects. */
  drop(why: string): void {
    if (this.#lost) return;
    this.#lost = new HostError(this.#host, "lost", why);
    for (const shells of this.#shells.values()) shells.failQueue(this.#lost);
    this.#client.end();
    // A host that has gone silent never answers the farewell; it must not keep our process.
    setTimeout(() => this.#client.destroy(), 500).unref();
  }

  /** Ends the connection when all that is under way has come to its end. */
  retire(): void {
    this.#retired = true;
    this.#endIfRetired();
  }

  #endIfRetired(): void {
    const quiet = this.#passing === 0 && [...this.#shells.values()].every((shells) => shells.idle);
    if (this.#retired && quiet) this.drop("the connection was replaced by a new one");
  }

  #exec(command: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
    });
  }
}
