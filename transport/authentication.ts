import { existsSync, readFileSync } from "node:fs";
import type { AgentAuthMethod, BaseAgent, ParsedKey, PublicKeyAuthMethod } from "ssh2";
import ssh2 from "ssh2";
import type { Credentials } from "#inventory/inventory.ts";
import { type Endpoint, fieldOf } from "./endpoint.ts";
import { HostError, type HostName } from "./errors.ts";

/** One way to log in, and what an error text calls it. */
export interface LoginMethod {
  readonly label: string;
  readonly method: PublicKeyAuthMethod | AgentAuthMethod;
}

/**
 * The ways to log in, in the order they are tried: the key in the credentials alone; else the entry's key
 * file (then the agent, which may hold it unlocked); else the ssh config's key files and the agent; else the
 * agent and the usual key files. Throws a `config` HostError if there is none, or if the key that was asked
 * for cannot be used.
 */
export function loginMethods(endpoint: Endpoint, credentials: Credentials | undefined): LoginMethod[] {
  const { host, identityFile } = endpoint;
  const passphrase = credentials?.passphrase;
  if (credentials?.privateKey !== undefined) {
    const field = `credentials.${host.name}.privateKey`;
    const key = parse(credentials.privateKey, passphrase);
    if (key instanceof Error) throw unusable(host, field, key);
    return [withKey(endpoint, field, key)];
  }
  return identityFile === undefined
    ? withWhatIsThere(endpoint, passphrase)
    : withNamedKey(endpoint, identityFile, passphrase);
}

function withKey({ user: username }: Endpoint, label: string, key: ParsedKey): LoginMethod {
  return { label, method: { type: "publickey", username, key } };
}

/** @param only public key blobs in base64, the only ones of the agent's that may be shown */
function withAgent({ user: username, agent }: Endpoint, only?: readonly string[]): LoginMethod[] {
  if (agent === undefined) return [];
  return [{ label: `ssh-agent ${agent}`, method: { type: "agent", username, agent: agentOf(agent, only) } }];
}

function withNamedKey(endpoint: Endpoint, path: string, passphrase: string | undefined): LoginMethod[] {
  const key = readKey(path, passphrase);
  if (!(key instanceof Error)) return [withKey(endpoint, path, key), ...withAgent(endpoint)];
  const half = publicHalf(path);
  const agent = withAgent(endpoint, half === undefined ? undefined : [half]);
  if ((isPublic(key) || locked(key)) && agent.length > 0) return agent;
  throw unusable(endpoint.host, `identityFile ${path}`, key);
}

function withWhatIsThere(endpoint: Endpoint, passphrase: string | undefined): LoginMethod[] {
  const { host, listed, identityFiles, identitiesNamed, identitiesOnly } = endpoint;
  const files = identityFiles.filter((path) => existsSync(path));
  const keys = files.map((path) => ({ path, key: readKey(path, passphrase) }));
  const fromFiles = keys.flatMap(({ path, key }) =>
    key instanceof Error ? [] : [withKey(endpoint, path, key)],
  );
  const halves = files.flatMap((path) => publicHalf(path) ?? []);
  const fromAgent = withAgent(endpoint, identitiesOnly ? halves : undefined);
  const methods = identitiesNamed ? [...fromFiles, ...fromAgent] : [...fromAgent, ...fromFiles];
  if (methods.length > 0) return methods;
  const missing = identitiesNamed ? identityFiles.filter((path) => !files.includes(path)) : [];
  throw new HostError(
    host,
    "config",
    [
      "there is no key to log in with: no ssh-agent, no usable key file in ~/.ssh",
      ...keys.map(({ path, key }) => `${path}: ${key instanceof Error ? key.message : ""}`),
      ...missing.map((path) => `${path}: no such file`),
    ].join("\n  "),
    `start an ssh-agent, or set ${fieldOf(endpoint, "identityFile")}${listed ? ` or credentials.${host.name}.privateKey` : ""}`,
  );
}

/**
 * A server counts every key it is shown as a try, and closes the door after a few: where keys are named, only
 * those are shown.
 */
function agentOf(agent: string, only: readonly string[] | undefined): BaseAgent | string {
  if (only === undefined) return agent;
  const chosen = ssh2.createAgent(agent);
  const all = chosen.getIdentities.bind(chosen);
  chosen.getIdentities = (callback) =>
    all((error, keys) => {
      const parsed = (keys ?? []).map((key) => ssh2.utils.parseKey(key as Buffer));
      const allowed = parsed.flatMap((key) =>
        key instanceof Error || !only.includes(blobOf(key)) ? [] : [key],
      );
      callback(error, allowed);
    });
  return chosen;
}

const blobOf = (key: ParsedKey) => key.getPublicSSH().toString("base64");

/**
 * The public key in a file, or of the private key in a file that may be locked; `undefined` if it cannot be
 * told.
 */
function publicHalf(path: string): string | undefined {
  for (const file of [path, `${path}.pub`]) {
    try {
      const key = ssh2.utils.parseKey(readFileSync(file));
      if (!(key instanceof Error)) return blobOf(key);
    } catch {
      // No such file: the next may be there.
    }
  }
  return undefined;
}

function parse(text: string | Buffer, passphrase: string | undefined): ParsedKey | Error {
  const key = ssh2.utils.parseKey(text, passphrase);
  if (key instanceof Error) return key;
  return key.isPrivateKey() ? key : new Error(publicKey);
}

function readKey(path: string, passphrase: string | undefined): ParsedKey | Error {
  try {
    return parse(readFileSync(path), passphrase);
  } catch (error) {
    return error as Error;
  }
}

const publicKey = "it is a public key; the private one is needed, or an ssh-agent that holds it";
const isPublic = (error: Error) => error.message === publicKey;

const locked = (error: Error) => /no passphrase given/i.test(error.message);

function unusable(host: HostName, what: string, error: Error): HostError {
  const hint = /passphrase|bad decrypt|integrity|MAC/i.test(error.message)
    ? `set credentials.${host.name}.passphrase, or load the key into an ssh-agent`
    : undefined;
  return new HostError(host, "config", `cannot use ${what}: ${error.message}`, hint, error);
}
