import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * A host key we hold for a host: a pinned fingerprint, a line of known_hosts, or what a certificate vouches
 * for.
 */
export interface KnownKey {
  /**
   * Key type as in known_hosts (`ssh-ed25519`); `undefined` for a pinned fingerprint, which does not tell.
   */
  readonly type: string | undefined;
  readonly fingerprint: string;
  /** `authority`: not the host's own key, but one that may sign host certificates. */
  readonly mark: "revoked" | "authority" | undefined;
  /** Where it stands: a file, a key of the stack file, a certificate. */
  readonly source?: string;
}

export type KeyVerdict =
  | { readonly state: "known" }
  | { readonly state: "unknown"; readonly fingerprint: string }
  | { readonly state: "revoked"; readonly fingerprint: string }
  | { readonly state: "changed"; readonly fingerprint: string; readonly expected: readonly string[] };

/** Fingerprint of a public key blob, as `ssh-keygen -lf` prints it. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** How known_hosts names a host: the port only when it is not 22. */
export function knownHostsName(address: string, port: number): string {
  return port === 22 ? address.toLowerCase() : `[${address.toLowerCase()}]:${port}`;
}

/**
 * The keys a known_hosts file holds for a host; plain, wildcard and hashed names (sshd(8), SSH_KNOWN_HOSTS
 * FILE FORMAT).
 */
export function parseKnownHosts(text: string, name: string): KnownKey[] {
  return text.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
    const [names, type, blob] = words;
    if (!names || names.startsWith("#") || !type || !blob || !matches(names, name)) return [];
    if (marker !== undefined && !Object.hasOwn(marks, marker)) return [];
    const mark = marker === undefined ? undefined : marks[marker as keyof typeof marks];
    return [{ type, fingerprint: fingerprintOf(Buffer.from(blob, "base64")), mark }];
  });
}

const marks = { "@revoked": "revoked", "@cert-authority": "authority" } as const;

/** The keys that some known_hosts files hold for a host; a file that is not there holds none. */
export function readKnownHosts(files: readonly string[], name: string): KnownKey[] {
  return files.flatMap((source) => {
    let text: string;
    try {
      text = readFileSync(source, "utf8");
    } catch {
      return [];
    }
    return parseKnownHosts(text, name).map((key) => ({ ...key, source }));
  });
}

function matches(names: string, name: string): boolean {
  if (names.startsWith("|1|")) return matchesHashed(names, name);
  const patterns = names.toLowerCase().split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && wildcard(pattern.slice(1)).test(name)))
    return false;
  return patterns.some((pattern) => wildcard(pattern).test(name));
}

function matchesHashed(names: string, name: string): boolean {
  const [, , salt = "", hash = ""] = names.split("|");
  const have = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  const want = Buffer.from(hash, "base64");
  return have.length === want.length && timingSafeEqual(have, want);
}

/** A pattern of OpenSSH's, in which `*` stands for anything and `?` for any one character. */
export function wildcard(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

/** Judges the key a host shows by the keys we hold for it. */
export function judgeKey(key: Uint8Array, known: readonly KnownKey[]): KeyVerdict {
  const fingerprint = fingerprintOf(key);
  const same = known.filter((entry) => entry.fingerprint === fingerprint);
  if (same.some(({ mark }) => mark === "revoked")) return { state: "revoked", fingerprint };
  if (same.some(({ mark }) => mark === undefined)) return { state: "known" };
  const expected = known.filter(({ mark }) => mark === undefined).map((entry) => entry.fingerprint);
  if (expected.length > 0) return { state: "changed", fingerprint, expected };
  return { state: "unknown", fingerprint };
}

/** Signature algorithms we accept, best first, by the key type they belong to. No SHA-1. */
const defaultAlgorithms = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
} as const;

export type HostKeyAlgorithm = (typeof defaultAlgorithms)[keyof typeof defaultAlgorithms][number];

/**
 * One algorithm for each further type of key that servers commonly have. A server shows one key, of the type
 * that both sides like best, which need not be the one that is looked for by its fingerprint.
 */
export const otherAlgorithms = [
  "ecdsa-sha2-nistp256",
  "rsa-sha2-512",
] as const satisfies readonly HostKeyAlgorithm[];

/**
 * In which order to ask a host for its keys: first the types we hold one of, since a host has several keys
 * and would show us another than the one we know.
 */
export function keyAlgorithms(known: readonly KnownKey[]): HostKeyAlgorithm[] {
  const held = new Set(known.filter(({ mark }) => mark === undefined).map((key) => key.type));
  const types = Object.entries(defaultAlgorithms);
  return [...types.filter(([type]) => held.has(type)), ...types.filter(([type]) => !held.has(type))].flatMap(
    ([, algorithms]) => [...algorithms],
  );
}
