import { join, normalize } from "node:path";
import type { HostEntry } from "#inventory/inventory.ts";
import { jumpsOf } from "#inventory/jumps.ts";
import type { HostName } from "./errors.ts";
import type { SshConfig } from "./ssh-config.ts";

/** What of the operator's own machine is used to log in. */
export interface Surroundings {
  /** Home directory: `~` in paths, `.ssh` for keys, known_hosts and config. */
  readonly home: string;
  /** Where the ssh-agent is had, see {@link agentOf}; `undefined` if there is none. */
  readonly agent?: string | undefined;
}

/**
 * Where one SSH server is and how it is logged in to: the entry, completed from the operator's ssh config.
 */
export interface Endpoint {
  readonly host: HostName;
  /** Has an entry in the inventory; else it is a jump host that the operator's files know. */
  readonly listed: boolean;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Pinned fingerprint of its host key. */
  readonly hostKey: string | undefined;
  /** Its name in known_hosts files where that does not follow from address and port; and those files. */
  readonly knownAs: string | undefined;
  readonly knownHosts: readonly string[];
  /** The key file its entry names: it must be there. */
  readonly identityFile: string | undefined;
  /** Key files to try if they are there; before the agent's keys where the ssh config names them. */
  readonly identityFiles: readonly string[];
  readonly identitiesNamed: boolean;
  /** The agent may show these keys only. */
  readonly identitiesOnly: boolean;
  /**
   * Certificates for the login that the ssh config names; we cannot use them, and say so if the login fails.
   */
  readonly certificateFiles: readonly string[];
  readonly agent: string | undefined;
  /** Jump hosts, first to last. */
  readonly jumps: readonly string[];
  /** Command whose stdin and stdout are the connection. */
  readonly proxyCommand: string | undefined;
}

const defaultKeys = ["id_ed25519", "id_ecdsa", "id_rsa"];
/** What `ssh -G` prints where the config names no key. */
const sshDefaultKeys = [...defaultKeys, "id_ed25519_sk", "id_ecdsa_sk", "id_xmss", "id_dsa"];

/** How an operator reaches a host: `ops@10.0.0.11`, `root@[fd00::1]:2222`. */
function targetOf(user: string, address: string, port: number): string {
  const bracketed = address.includes(":") ? `[${address}]` : address;
  return `${user}@${bracketed}${port === 22 ? "" : `:${port}`}`;
}

/** Completes an entry from the ssh config: what the entry says itself always wins. */
export function endpointOf(
  name: string,
  listed: boolean,
  entry: HostEntry,
  config: SshConfig | undefined,
  { home, agent }: Surroundings,
): Endpoint {
  const address = config?.hostname ?? entry.address;
  const port = entry.port ?? config?.port ?? 22;
  const user = entry.user ?? config?.user ?? "root";
  const jumps = jumpsOf(entry);
  const ssh = (file: string) => join(home, ".ssh", file);
  const usual = sshDefaultKeys.map(ssh);
  const named = config?.identityFiles.some((path) => !usual.includes(normalize(path))) ?? false;
  return {
    host: { name, target: targetOf(user, address, port) },
    listed,
    address,
    port,
    user,
    hostKey: entry.hostKey,
    knownAs: config?.hostKeyAlias,
    knownHosts: [
      ...(config?.userKnownHosts ?? [ssh("known_hosts"), ssh("known_hosts2")]),
      ...(config?.globalKnownHosts ?? ["/etc/ssh/ssh_known_hosts"]),
    ],
    identityFile: entry.identityFile?.replace(/^~(?=[/\\]|$)/, home),
    identityFiles: named ? (config?.identityFiles ?? []) : defaultKeys.map(ssh),
    identitiesNamed: named,
    identitiesOnly: config?.identitiesOnly ?? false,
    certificateFiles: config?.certificateFiles ?? [],
    agent: agentFor(config, agent),
    jumps: jumps ?? config?.proxyJump ?? [],
    proxyCommand: jumps === undefined ? config?.proxyCommand : undefined,
  };
}

function agentFor(config: SshConfig | undefined, agent: string | undefined): string | undefined {
  if (config?.identityAgent === undefined) return agent;
  return config.identityAgent === "none" ? undefined : config.identityAgent;
}

/** Where Windows' own ssh-agent listens. */
const windowsAgent = "\\\\.\\pipe\\openssh-ssh-agent";

/**
 * Where the ssh-agent of a machine is had: SSH_AUTH_SOCK; on Windows else the pipe of its own agent, or
 * PuTTY's Pageant.
 * @param exists whether there is something at a path
 */
export function agentOf(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean,
): string | undefined {
  if (env.SSH_AUTH_SOCK) return env.SSH_AUTH_SOCK;
  if (platform !== "win32") return undefined;
  return exists(windowsAgent) ? windowsAgent : "pageant";
}

const sshConfigKeys = {
  address: "HostName",
  user: "User",
  identityFile: "IdentityFile",
  hostKey: "UserKnownHostsFile",
} as const;

/**
 * Where an operator sets something of an endpoint: `hosts.rack1.user`, or the ssh config's key for a jump
 * host.
 */
export function fieldOf({ listed, host }: Endpoint, key: keyof typeof sshConfigKeys): string {
  return listed ? `hosts.${host.name}.${key}` : `${sshConfigKeys[key]} for ${host.name} in ~/.ssh/config`;
}
