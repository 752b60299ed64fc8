import { type HostEntry, hostEntry, type Inventory } from "#inventory/inventory.ts";
import { jumpProblem, parseLogin } from "#inventory/jumps.ts";
import { type Endpoint, endpointOf, type Surroundings } from "./endpoint.ts";
import { HostError } from "./errors.ts";
import { readSshConfig, type SshConfig } from "./ssh-config.ts";

/** What leads to a host of the inventory. */
export interface Route {
  /** The host itself. */
  readonly endpoint: Endpoint;
  /** The host of the inventory that it is reached through; it stands before the hops. */
  readonly outer: string | undefined;
  /** SSH servers on the way that are no hosts of the inventory, first to last. */
  readonly hops: readonly Endpoint[];
}

/** Asks the operator's ssh config about each address once, however many hosts are reached through it. */
export class Resolver {
  readonly #surroundings: Surroundings;
  readonly #jumpHosts = new Map<string, Promise<Endpoint>>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /**
   * Where a host of the inventory is, how it is logged in to and through what. Rejects with a `config`
   * HostError.
   */
  async route(name: string, entry: HostEntry, hosts: Inventory["hosts"]): Promise<Route> {
    const wrong = jumpProblem(name, hosts);
    if (wrong !== undefined)
      throw new HostError({ name, target: entry.address }, "config", `hosts.${name}.jump: ${wrong}`);
    const endpoint = await this.#endpoint(name, true, entry);
    // Only an entry names other hosts; an ssh config has names of its own.
    const [first, ...later] = endpoint.jumps;
    const outer =
      entry.jump !== undefined && first !== undefined && Object.hasOwn(hosts, first) ? first : undefined;
    const hops = await this.#hops(outer === undefined ? endpoint.jumps : later, entry.sshConfig, []);
    return { endpoint, outer, hops };
  }

  /**
   * As with ssh, the first of the hops is reached as the ssh config says of it, each later one through the
   * one before.
   */
  async #hops(
    texts: readonly string[],
    sshConfig: boolean,
    way: readonly string[],
  ): Promise<readonly Endpoint[]> {
    const [first, ...later] = await Promise.all(texts.map((text) => this.#jumpHost(text, sshConfig)));
    if (first === undefined) return [];
    const name = first.host.name;
    // `ProxyJump bastion` below `Host *` is said of the bastion as well, and means the others.
    const before = first.jumps.join(",") === name ? [] : first.jumps;
    if (way.includes(name)) {
      const what = `the jump hosts of your ssh config go in a circle: ${[...way, name].join(" → ")}`;
      throw new HostError(
        first.host,
        "config",
        what,
        "correct ProxyJump in ~/.ssh/config: ssh -G NAME shows it",
      );
    }
    return [...(await this.#hops(before, sshConfig, [...way, name])), first, ...later];
  }

  #jumpHost(text: string, sshConfig: boolean): Promise<Endpoint> {
    const key = `${sshConfig} ${text}`;
    const endpoint =
      this.#jumpHosts.get(key) ??
      this.#endpoint(
        text,
        false,
        hostEntry.parse({ platform: "linux", sshConfig, ...(parseLogin(text) ?? parseJump(text)) }),
      );
    this.#jumpHosts.set(key, endpoint);
    return endpoint;
  }

  async #endpoint(name: string, listed: boolean, entry: HostEntry): Promise<Endpoint> {
    const { home } = this.#surroundings;
    const host = { name, target: entry.address };
    const config: SshConfig | undefined = entry.sshConfig
      ? await readSshConfig(host, entry, home)
      : undefined;
    return endpointOf(name, listed, entry, config, this.#surroundings);
  }
}

/** A hop as ProxyJump has it: `[ssh://][user@]name[:port]`. */
function parseJump(text: string): { user?: string; address: string; port?: number } {
  const plain = text.replace(/^ssh:\/\//, "");
  const at = plain.lastIndexOf("@");
  const { groups: { six, name = six ?? "", port } = {} } =
    /^(?:\[(?<six>.+)\]|(?<name>[^:]*))(?::(?<port>\d+))?$/.exec(plain.slice(at + 1)) ?? {};
  return {
    address: name,
    ...(at > 0 && { user: plain.slice(0, at) }),
    ...(port !== undefined && { port: Number(port) }),
  };
}
