import { join } from "node:path";
import type { Login } from "#checks/login.ts";
import { type Credentials, type HostEntry, jumpsOf } from "#transport/inventory.ts";

interface Known {
  readonly login: Login;
  readonly credentials: Credentials | undefined;
  /** A folder of ours for the files. */
  readonly folder: string;
}

/** How ssh is to be called for a machine, up to the command; `files` must exist before, readable by their owner alone. */
export function sshArguments(
  entry: HostEntry,
  { login: { user, port, key }, credentials, folder }: Known,
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
  const jumps = jumpsOf(entry);
  return {
    args: [
      ...(entry.sshConfig ? [] : ["-F", "none"]),
      "-p",
      String(port),
      "-l",
      user,
      // Without a word of the entry ssh goes by its own configuration, as we do.
      ...(jumps === undefined ? [] : ["-J", jumps.length === 0 ? "none" : jumps.join(",")]),
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
