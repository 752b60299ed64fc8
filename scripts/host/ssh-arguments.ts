import { join } from "node:path";
import type { Login } from "#checks/login.ts";
import type { HostEntry } from "#inventory/inventory.ts";
import { jumpsOf } from "#inventory/jumps.ts";
import { quote } from "#transport/command.ts";

/** How ssh is to be called. */
interface Call {
  /** Up to the command. */
  readonly args: readonly string[];
  /** Files that must exist before, readable by their owner alone: content by path. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * How the operator's ssh is to be called for a machine.
 * @param logins to the machines on the way, first to last, and to the machine itself
 * @param folder of ours for the files; removed afterwards
 */
export function sshArguments(entry: HostEntry, logins: readonly Login[], folder: string): Call {
  const [before, login] = [logins.slice(0, -1), logins.at(-1) as Login];
  const { user, port } = login.endpoint;
  const identityFile = login.credentials?.privateKey === undefined ? entry.identityFile : join(folder, "key");
  const way = wayThrough(before, entry, folder);
  const settings = {
    StrictHostKeyChecking: "yes",
    ...pinned(login, join(folder, "known_hosts")),
    // An agent with many keys would use up the tries that the server allows.
    ...(identityFile !== undefined && { IdentitiesOnly: "yes" }),
  };
  return {
    args: [
      ...(entry.sshConfig ? [] : ["-F", "none"]),
      "-p",
      String(port),
      "-l",
      user,
      ...way.args,
      ...(identityFile === undefined ? [] : ["-i", identityFile]),
      ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
      "--",
      entry.address,
    ],
    files: { ...way.files, ...filesOf(login, folder, "") },
  };
}

/**
 * What leads ssh through the machines before. Where none of them is of the inventory it goes by its own
 * configuration, as we do; else by one of ours, with what the inventory says of each.
 */
function wayThrough(before: readonly Login[], entry: HostEntry, folder: string): Call {
  const jumps = jumpsOf(entry);
  if (!before.some(({ endpoint }) => endpoint.listed))
    return {
      // Without a word of the entry its own.
      args: jumps === undefined ? [] : ["-J", jumps.length === 0 ? "none" : jumps.join(",")],
      files: {},
    };
  const config = join(folder, "jump_hosts");
  /** The command that leads past the n-th machine on the way. */
  const past = (n: number) =>
    `ssh -F ${word(config).replaceAll("%", "%%")} -W ${word("[%h]:%p")} gpu-hosts-jump-${n}`;
  const blocks = before.map((login, i) => {
    const settings = jumpSettings(login, folder, `-${i + 1}`, i === 0 ? undefined : past(i));
    return [`Host gpu-hosts-jump-${i + 1}`, ...settings.map((line) => `  ${line.join(" ")}`), ""].join("\n");
  });
  return {
    args: ["-o", `ProxyCommand=${past(before.length)}`],
    files: Object.assign(
      { [config]: blocks.join("\n") },
      ...before.map((login, i) => filesOf(login, folder, `-${i + 1}`)),
    ),
  };
}

/**
 * How a machine on the way is logged in to as we do, in words of ssh_config(5).
 * @param suffix of its files @param through command that leads to it; `undefined`: it is the first
 */
function jumpSettings(
  login: Login,
  folder: string,
  suffix: string,
  through: string | undefined,
): readonly (readonly [string, string | number])[] {
  const { endpoint, credentials } = login;
  const { identityFile, identityFiles, identitiesNamed } = endpoint;
  const own = credentials?.privateKey === undefined ? identityFile : join(folder, `key${suffix}`);
  const named = identitiesNamed ? identityFiles : [];
  return [
    ["HostName", file(endpoint.address)],
    ["Port", endpoint.port],
    ["User", quoted(endpoint.user)],
    // A ProxyCommand of the operator's has its tokens replaced already.
    ["ProxyCommand", through ?? line(endpoint.proxyCommand?.replaceAll("%", "%%") ?? "none")],
    ["StrictHostKeyChecking", "yes"],
    ...Object.entries(pinned(login, join(folder, `known_hosts${suffix}`)) ?? knownByOperator(login)),
    ...(own === undefined ? named : [own]).map((key) => ["IdentityFile", file(key)] as const),
    ...(own === undefined && !endpoint.identitiesOnly ? [] : [["IdentitiesOnly", "yes"] as const]),
    ...endpoint.certificateFiles.map((certificate) => ["CertificateFile", file(certificate)] as const),
    ...(process.platform === "win32" ? [] : [["IdentityAgent", file(endpoint.agent ?? "none")] as const]),
  ];
}

/** The settings by which a pinned key is the only one that counts; `undefined` without a pin. */
function pinned({ key }: Login, knownHosts: string): Readonly<Record<string, string>> | undefined {
  if (key === undefined) return undefined;
  return {
    UserKnownHostsFile: /[\s"%\\]/.test(knownHosts) ? file(knownHosts) : knownHosts,
    GlobalKnownHostsFile: "none",
    // Keys of other types the file does not have.
    HostKeyAlgorithms: key.type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : key.type,
    UpdateHostKeys: "no",
  };
}

function knownByOperator({ endpoint: { knownHosts, knownAs } }: Login): Readonly<Record<string, string>> {
  return {
    UserKnownHostsFile: knownHosts.map(file).join(" "),
    ...(knownAs !== undefined && { HostKeyAlias: quoted(knownAs) }),
  };
}

function filesOf({ key, credentials }: Login, folder: string, suffix: string): Call["files"] {
  const { privateKey } = credentials ?? {};
  return {
    // For whatever name the operator's own ssh configuration makes of the address.
    ...(key && { [join(folder, `known_hosts${suffix}`)]: `* ${key.type} ${key.blob}\n` }),
    ...(privateKey !== undefined && {
      [join(folder, `key${suffix}`)]: privateKey.endsWith("\n") ? privateKey : `${privateKey}\n`,
    }),
  };
}

/** A value in which ssh replaces tokens, as its configuration has it. */
function file(value: string): string {
  return quoted((process.platform === "win32" ? value.replaceAll("\\", "/") : value).replaceAll("%", "%%"));
}

/** One word of the configuration. */
const quoted = (value: string) => `"${line(value).replaceAll(/["\\]/g, "\\$&")}"`;

/** What stands in one line of the configuration: it has no way to write a line end, so another line would begin. */
function line(value: string): string {
  if (/[\r\n\0]/.test(value))
    throw new Error(`${JSON.stringify(value)} cannot stand in a configuration of ssh`);
  return value;
}

/** A word of a command that ssh starts. */
const word = (value: string) => (process.platform === "win32" ? `"${value}"` : quote(value));
