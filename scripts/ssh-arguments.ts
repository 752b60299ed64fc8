import { join } from "node:path";
import { type Credentials, type HostEntry, jumpsOf } from "#transport/inventory.ts";

interface Known {
  /** The whole key that the entry pins; without it the operator's known_hosts decides. */
  readonly key: { readonly type: string; readonly blob: string } | undefined;
  readonly credentials: Credentials | undefined;
  /** The other machines, which it may be reached through. */
  readonly hosts: Readonly<Record<string, HostEntry>>;
  /** A folder of ours for the files. */
  readonly folder: string;
}

/** How ssh is to be called for a machine, up to the command; `files` must exist before, readable by their owner alone. */
export function sshArguments(
  entry: HostEntry,
  { key, credentials, hosts, folder }: Known,
): { readonly args: readonly string[]; readonly files: Readonly<Record<string, string>> } {
  const { privateKey } = credentials ?? {};
  const config = join(folder, "config");
  const jumps = wayTo(entry, hosts);
  const knownHosts = join(folder, "known_hosts");
  const secretKey = join(folder, "key");
  const identityFile = privateKey === undefined ? entry.identityFile : secretKey;
  const settings = {
    StrictHostKeyChecking: "yes",
    ...(key && {
      UserKnownHostsFile: knownHosts,
      GlobalKnownHostsFile: "none",
      // Keys of other types the file does not have.
      HostKeyAlgorithms: key.type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : key.type,
      UpdateHostKeys: "no",
    }),
    // An agent with many keys would use up the tries that the server allows.
    ...(identityFile !== undefined && { IdentitiesOnly: "yes" }),
  };
  return {
    args: [
      "-F",
      config,
      ...(entry.port === undefined ? [] : ["-p", String(entry.port)]),
      ...(entry.user === undefined ? [] : ["-l", entry.user]),
      ...(jumps === undefined ? [] : ["-o", `ProxyJump=${jumps.join(",") || "none"}`]),
      ...(identityFile === undefined ? [] : ["-i", identityFile]),
      ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
      "--",
      entry.address,
    ],
    files: {
      [config]: `${entry.sshConfig ? OPERATORS : ""}Host *\n  User root\n`,
      // For whatever name the operator's own ssh configuration makes of the address.
      ...(key && { [knownHosts]: `* ${key.type} ${key.blob}\n` }),
      ...(privateKey !== undefined && {
        [secretKey]: privateKey.endsWith("\n") ? privateKey : `${privateKey}\n`,
      }),
    },
  };
}

/** The operator's own configuration; what stands behind it counts only where that says nothing. */
const OPERATORS = "Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n";

/** The jump hosts in the words of ssh, first to last; `undefined` where the entry leaves that to the ssh config. */
function wayTo(entry: HostEntry, hosts: Readonly<Record<string, HostEntry>>): readonly string[] | undefined {
  return jumpsOf(entry)?.flatMap((hop) => {
    const listed = hosts[hop];
    return listed === undefined ? [hop] : [...(wayTo(listed, hosts) ?? []), loginOf(listed)];
  });
}

function loginOf({ user, address, port }: HostEntry): string {
  const bracketed = address.includes(":") ? `[${address}]` : address;
  return `${user === undefined ? "" : `${user}@`}${bracketed}${port === undefined ? "" : `:${port}`}`;
}
