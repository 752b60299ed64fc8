import { homedir } from "node:os";
import type { Credentials, HostEntry, Inventory } from "#inventory/inventory.ts";
import { HostError } from "#transport/errors.ts";
import { judgeKey, type KeyVerdict, knownHostsName, readKnownHosts } from "#transport/host-keys/host-key.ts";
import type { Scanned, ServerKey } from "#transport/host-keys/scan-host-key.ts";
import { readSshConfig } from "#transport/ssh-config.ts";
import { reachable, withHosts } from "./hosts.ts";
import { type Survey, survey } from "./survey.ts";

/** What a machine shows before anybody logs in. */
export interface FirstSight {
  readonly key: ServerKey;
  /** A Windows PC's own SSH server. */
  readonly windows: boolean;
  /** What the operator's known_hosts says of the key. */
  readonly known: KeyVerdict["state"];
  /**
   * Address and port that were asked: those of the entry, or what the operator's ssh config makes of them.
   */
  readonly address: string;
  readonly port: number;
  /** What the connection ran through, in words; `undefined`: it was direct. */
  readonly through: string | undefined;
}

/** The user that the operator's ssh config names for an address; `undefined` if it names none. */
export async function configuredUser(address: string): Promise<string | undefined> {
  return (await readSshConfig({ name: address, target: address }, { address }, homedir()))?.user;
}

/**
 * Looks at a machine's SSH server without logging in, by the way that its entry and the operator's ssh config
 * say.
 * @param wanted fingerprint it should have
 */
export function firstSight(name: string, inventory: Inventory, wanted?: string): Promise<FirstSight> {
  return withHosts(inventory, async (_, pool) => {
    const scanned = await pool.scan(name, wanted);
    const { endpoint, software, key } = scanned;
    const before = (await pool.stops(name)).slice(0, -1).map((stop) => stop.endpoint.host.name);
    const command = endpoint.proxyCommand === undefined ? [] : ["a ProxyCommand"];
    return {
      key,
      windows: /OpenSSH_for_Windows/i.test(software),
      known: knownState(scanned),
      address: endpoint.address,
      port: endpoint.port,
      through: [...before, ...command].join(", ") || undefined,
    };
  });
}

function knownState({ endpoint, key: { type, blob } }: Scanned): KeyVerdict["state"] {
  const { address, port, knownAs, knownHosts } = endpoint;
  // A server has keys of several types; one of another type says nothing against this one.
  const held = readKnownHosts(knownHosts, knownAs ?? knownHostsName(address, port)).filter(
    (known) => known.type === type,
  );
  return judgeKey(Buffer.from(blob, "base64"), held).state;
}

/** How commands become root's. */
type RootAccess = "root login" | "sudo without a password" | "sudo with a password";

export type Met =
  | { readonly state: "read"; readonly access: RootAccess; readonly survey: Survey }
  /** sudo asks for a password, and the credentials have none. */
  | { readonly state: "password needed" }
  | { readonly state: "windows" };

/**
 * Logs in as the entry says and reads what the machine is. Rejects with a HostError where that fails.
 * @param others the machines that it may be reached through
 */
export async function meet(
  name: string,
  entry: HostEntry,
  others: Inventory,
  credentials: Credentials = {},
): Promise<Met> {
  const inventory = {
    hosts: { ...others.hosts, [name]: entry },
    credentials: { ...others.credentials, [name]: credentials },
  };
  try {
    const read = await withHosts(inventory, async (reach) => survey(await reachable(reach, name)));
    return { state: "read", access: accessOf(entry, credentials), survey: read };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (isWindows(error)) return { state: "windows" };
    if (error.missing === "sudoPassword") return { state: "password needed" };
    throw error;
  }
}

/** Reads machines of an inventory, all at once; one that fails gives its error and hides no other. */
export function surveyAll(
  names: readonly string[],
  inventory: Inventory,
): Promise<Readonly<Record<string, Survey | Error>>> {
  return withHosts(inventory, async (reach) => {
    const one = async (name: string) => survey(await reachable(reach, name));
    const read = names.map(async (name) => [name, await one(name).catch((error: Error) => error)] as const);
    return Object.fromEntries(await Promise.all(read));
  });
}

function accessOf({ user }: HostEntry, { sudoPassword }: Credentials): RootAccess {
  if (user === "root") return "root login";
  return sudoPassword === undefined ? "sudo without a password" : "sudo with a password";
}

/** What cmd.exe and PowerShell answer to a command of ours, behind an SSH server of another maker. */
const isWindows = ({ what }: HostError) =>
  /Microsoft Windows|is not recognized as (an internal|the name of a cmdlet)/i.test(what);
