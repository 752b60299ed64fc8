import { join } from "node:path";
import type { Credentials, HostEntry } from "#transport/inventory.ts";

interface Known {
  /** The whole key that the entry pins; without it the operator's known_hosts decides. */
  readonly key: { readonly type: string; readonly blob: string } | undefined;
  readonly credentials: Credentials | undefined;
  /** A folder of ours for the files. */
  readonly folder: string;
}

/** How ssh is to be called for a machine, up to the command; `files` must exist before, readable by their owner alone. */
export function sshArguments(
  entry: HostEntry,
  { key, credentials, folder }: Known,
): { readonly args: readonly string[]; readonly files: Readonly<Record<string, string>> } {
  const { privateKey } = credentials ?? {};
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
      "-p",
      String(entry.port),
      "-l",
      entry.user,
      ...(identityFile === undefined ? [] : ["-i", identityFile]),
      ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
      "--",
      entry.address,
    ],
    files: {
      // For whatever name the operator's own ssh configuration makes of the address.
      ...(key && { [knownHosts]: `* ${key.type} ${key.blob}\n` }),
      ...(privateKey !== undefined && {
        [secretKey]: privateKey.endsWith("\n") ? privateKey : `${privateKey}\n`,
      }),
    },
  };
}
