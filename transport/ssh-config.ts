import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { isLoginUser, isPlainAddress } from "#inventory/kinds.ts";
import { HostError, type HostName, lastLines } from "./errors.ts";

/** What the operator's ssh config says of one address; what it does not say is absent. */
export interface SshConfig {
  readonly hostname: string;
  readonly port: number;
  /** `undefined`: it names no user. */
  readonly user: string | undefined;
  readonly identityFiles: readonly string[];
  /** No keys of the agent beside those. */
  readonly identitiesOnly: boolean;
  /** Socket of the agent to use; `none`: no agent. */
  readonly identityAgent: string | undefined;
  readonly certificateFiles: readonly string[];
  /** Name of the host in known_hosts, where that is not its address. */
  readonly hostKeyAlias: string | undefined;
  /** `undefined`: the usual ones. */
  readonly userKnownHosts: readonly string[] | undefined;
  readonly globalKnownHosts: readonly string[];
  readonly proxyJump: readonly string[];
  readonly proxyCommand: string | undefined;
}

/** What is asked of the ssh config. */
interface Lookup {
  readonly address: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
}

/** Stands behind everything the operator wrote, so it comes back only where they wrote nothing. */
const unsaidLimit = "gpu-hosts-unsaid";

/** `Match exec` may run commands of the operator's. */
const limitSeconds = 20;

/**
 * Asks `ssh -G` what it would do for an address. `undefined` where there is no ssh. Nothing is connected to.
 * Rejects with a `config` HostError where ssh refuses its own configuration.
 * @param home whose `.ssh/config` is read, before the system's
 */
export async function readSshConfig(
  host: HostName,
  { address, port, user }: Lookup,
  home: string,
): Promise<SshConfig | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "gpu-hosts-ssh-"));
  try {
    const file = join(folder, "config");
    await writeFile(file, wrapping(home));
    const flags = [
      ...["-G", "-T", "-F", file],
      ...(port === undefined ? [] : ["-p", String(port)]),
      ...(user === undefined ? [] : ["-l", user]),
    ];
    const { failure, stdout, stderr } = await ssh([...flags, "--", address]);
    if (failure?.code === "ENOENT") return undefined;
    if (failure) throw configRefused(host, address, failure.killed ? "it took too long" : stderr);
    return parseSshConfig(stdout, { home, address });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The operator's configuration as ssh reads it, with an end to each question that it leaves open. */
function wrapping(home: string): string {
  const system =
    process.platform === "win32" ? `${process.env.ProgramData ?? "C:/ProgramData"}/ssh` : "/etc/ssh";
  const include = (path: string) => `Include "${path.replaceAll("\\", "/")}"\n`;
  const last = `Host *\n  User ${unsaidLimit}\n  UserKnownHostsFile ${unsaidLimit}\n`;
  return `${include(join(home, ".ssh", "config"))}${include(`${system}/ssh_config`)}${last}`;
}

interface SshOutput {
  readonly failure: { readonly code?: unknown; readonly killed?: boolean | undefined } | null;
  readonly stdout: string;
  readonly stderr: string;
}

function ssh(args: readonly string[]): Promise<SshOutput> {
  return new Promise((resolve) => {
    const options = { timeout: limitSeconds * 1000, windowsHide: true };
    const child = execFile("ssh", args, options, (failure, stdout, stderr) =>
      resolve({ failure, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

/**
 * Reads what `ssh -G` printed (ssh_config(5) names the keys), file names with their tokens replaced. Pure.
 */
export function parseSshConfig(
  text: string,
  { home, address }: { home: string; address: string },
): SshConfig {
  const lines = text.split(/\r?\n/).map((line) => {
    const [, key = "", value = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    return { key: key.toLowerCase(), value };
  });
  const all = (key: string) =>
    lines.filter((line) => line.key === key && line.value !== "none").map(({ value }) => value);
  const one = (key: string) => all(key)[0];
  const said = (key: string) => (one(key) === unsaidLimit ? undefined : one(key));
  const words = (value: string) => value.split(/\s+/).filter((word) => word !== "" && word !== "none");

  const hostname = one("hostname") ?? address;
  const port = Number(one("port") ?? 22);
  const user = said("user");
  const values = { "%": "%", h: hostname, n: address, p: String(port), r: user ?? "root", ...local(home) };
  const path = (value: string) => expand(value, values).replace(/^~(?=[/\\]|$)/, home);
  const agent = lines.find(({ key }) => key === "identityagent")?.value;
  return {
    hostname,
    port,
    user,
    identityFiles: all("identityfile").map(path),
    identitiesOnly: one("identitiesonly") === "yes",
    identityAgent: agent === undefined || agent === "none" ? agent : agentPath(agent, path),
    certificateFiles: all("certificatefile").map(path),
    hostKeyAlias: one("hostkeyalias"),
    userKnownHosts: said("userknownhostsfile")?.split(/\s+/).map(path),
    globalKnownHosts: words(one("globalknownhostsfile") ?? "").map(path),
    proxyJump: one("proxyjump")?.split(",") ?? [],
    proxyCommand: commandOf(one("proxycommand"), values),
  };
}

/**
 * A ProxyCommand with its tokens replaced. A shell runs it, so where address or user could say more to a shell
 * than their name, there is none: newer versions of ssh refuse them likewise.
 */
function commandOf(text: string | undefined, values: Readonly<Record<string, string>>): string | undefined {
  if (text === undefined) return undefined;
  const { h = "", n = "", r = "" } = values;
  if (isPlainAddress(h) && isPlainAddress(n) && isLoginUser(r)) return expand(text, values);
  throw new Error(`a ProxyCommand cannot be run for the user ${JSON.stringify(r)} at ${JSON.stringify(h)}`);
}

const local = (home: string): Readonly<Record<string, string>> => {
  const { username, uid } = userInfo();
  return { d: home, u: username, i: String(uid), l: hostname(), L: hostname().split(".")[0] ?? "" };
};

/** `%h` and its like, and `${VARIABLE}`, as ssh_config(5) has them. An unknown one stays as it is. */
function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text
    .replaceAll(/%(.)/g, (token, letter: string) => values[letter] ?? token)
    .replaceAll(/\$\{(\w+)\}/g, (token, name: string) => process.env[name] ?? token);
}

/** `SSH_AUTH_SOCK` and `$NAME` stand for what the environment holds. */
function agentPath(value: string, path: (value: string) => string): string {
  const name = value === "SSH_AUTH_SOCK" ? value : /^\$(\w+)$/.exec(value)?.[1];
  return name === undefined ? path(value) : (process.env[name] ?? "none");
}

function configRefused(host: HostName, address: string, said: string): HostError {
  const what = `your ssh config cannot be used; ssh -G ${address} said:\n${lastLines(said)}`;
  const hint = `correct ~/.ssh/config, or set hosts.${host.name}.sshConfig: false`;
  return new HostError(host, "config", what, hint);
}
