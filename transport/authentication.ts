import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentAuthMethod, ParsedKey, PublicKeyAuthMethod } from "ssh2";
import ssh2 from "ssh2";
import { HostError, type Subject } from "./errors.ts";
import type { Credentials, HostEntry } from "./inventory.ts";

/** What of the operator's own machine is used to log in. */
export interface Surroundings {
  /** Home directory: `~` in paths, `.ssh` for keys and known_hosts. */
  readonly home: string;
  /** Socket of the ssh-agent (SSH_AUTH_SOCK). */
  readonly agent?: string | undefined;
}

/** One way to log in, and what an error text calls it. */
export interface LoginMethod {
  readonly label: string;
  readonly method: PublicKeyAuthMethod | AgentAuthMethod;
}

const DEFAULT_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * The ways to log in, in the order they are tried: the key in the credentials alone; else the entry's key file (then the
 * agent, which may hold it unlocked); else the agent and the usual key files. Throws a `config` HostError if there is none,
 * or if the key that was asked for cannot be used.
 */
export function loginMethods(
  subject: Subject,
  entry: HostEntry,
  credentials: Credentials | undefined,
  { home, agent }: Surroundings,
): LoginMethod[] {
  const username = entry.user;
  const agentMethod: LoginMethod[] =
    agent === undefined ? [] : [{ label: `ssh-agent ${agent}`, method: { type: "agent", username, agent } }];
  const withKey = (label: string, key: ParsedKey): LoginMethod => ({
    label,
    method: { type: "publickey", username, key },
  });
  const field = `credentials.${subject.name}`;

  if (credentials?.privateKey !== undefined) {
    const key = parse(credentials.privateKey, credentials.passphrase);
    if (key instanceof Error) throw unusable(subject, `${field}.privateKey`, key);
    return [withKey(`${field}.privateKey`, key)];
  }

  if (entry.identityFile !== undefined) {
    const path = entry.identityFile.replace(/^~(?=\/|$)/, home);
    const key = readKey(path, credentials?.passphrase);
    if (!(key instanceof Error)) return [withKey(path, key), ...agentMethod];
    if (locked(key) && agentMethod.length > 0) return agentMethod;
    throw unusable(subject, `identityFile ${entry.identityFile}`, key);
  }

  const files = DEFAULT_KEYS.map((name) => join(home, ".ssh", name)).filter((path) => existsSync(path));
  const keys = files.map((path) => ({ path, key: readKey(path, credentials?.passphrase) }));
  const methods = [
    ...agentMethod,
    ...keys.flatMap(({ path, key }) => (key instanceof Error ? [] : [withKey(path, key)])),
  ];
  if (methods.length > 0) return methods;
  const skipped = keys.map(({ path, key }) => `${path}: ${key instanceof Error ? key.message : ""}`);
  throw new HostError(
    subject,
    "config",
    ["there is no key to log in with: no ssh-agent, no usable key file in ~/.ssh", ...skipped].join("\n  "),
    `start an ssh-agent, or set hosts.${subject.name}.identityFile or ${field}.privateKey`,
  );
}

function parse(text: string | Buffer, passphrase: string | undefined): ParsedKey | Error {
  const key = ssh2.utils.parseKey(text, passphrase);
  if (key instanceof Error) return key;
  return key.isPrivateKey() ? key : new Error("it is a public key; the private one is needed");
}

function readKey(path: string, passphrase: string | undefined): ParsedKey | Error {
  try {
    return parse(readFileSync(path), passphrase);
  } catch (error) {
    return error as Error;
  }
}

const locked = (error: Error) => /no passphrase given/i.test(error.message);

function unusable(subject: Subject, what: string, error: Error): HostError {
  const hint = /passphrase|bad decrypt|integrity|MAC/i.test(error.message)
    ? `set credentials.${subject.name}.passphrase, or load the key into an ssh-agent`
    : undefined;
  return new HostError(subject, "config", `cannot use ${what}: ${error.message}`, hint, error);
}
