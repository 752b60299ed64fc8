import { SshReader, sshString } from "./ssh-reader.ts";

/**
 * What an OpenSSH certificate says (PROTOCOL.certkeys of OpenSSH). That it may be believed is another
 * question.
 */
export interface Certificate {
  /** Type of the key it is for: `ssh-ed25519`. */
  readonly keyType: string;
  /** The key it is for, as a host without a certificate shows it. */
  readonly key: Buffer;
  readonly usage: "user" | "host";
  readonly principals: readonly string[];
  /** Seconds since 1970; from the first, and before the second. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** Names of the options that nobody may ignore. */
  readonly criticalOptions: readonly string[];
  /** The key that signed it. */
  readonly authority: Buffer;
  /** The bytes that are signed, and the signature. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

const suffix = "-cert-v01@openssh.com";

/** How many strings the key of a type consists of. */
const keyFields: Readonly<Record<string, number>> = {
  "ssh-ed25519": 1,
  "ssh-rsa": 2,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
};

const usages = { 1: "user", 2: "host" } as const;
/** As many as OpenSSH takes. */
const maxPrincipals = 256;

/**
 * Takes a certificate apart, from its decoded bytes. Throws, saying what is wrong, where it is not exactly
 * one.
 */
export function parseCertificate(bytes: Buffer): Certificate {
  const reader = new SshReader(bytes);
  const type = reader.text();
  const keyType = type.endsWith(suffix) ? type.slice(0, -suffix.length) : "";
  const fields = keyFields[keyType];
  if (fields === undefined) throw new Error(`it is of the type ${JSON.stringify(type)}`);
  reader.string(); // A nonce, so that nobody can tell beforehand what will be signed.
  const keyAt = reader.position;
  for (let i = 0; i < fields; i += 1) reader.string();
  const key = Buffer.concat([sshString(keyType), bytes.subarray(keyAt, reader.position)]);
  reader.uint64(); // Its serial number.
  const usage = usages[reader.uint32() as keyof typeof usages];
  if (usage === undefined) throw new Error("it is neither for a host nor for a user");
  reader.text(); // Its name in the logs of the authority.
  const principals = listOf(reader.string(), (entry) => entry.text());
  if (principals.length > maxPrincipals) throw new Error(`it names more than ${maxPrincipals} principals`);
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const option = (entry: SshReader) => {
    const name = entry.text();
    entry.string();
    return name;
  };
  const criticalOptions = listOf(reader.string(), option);
  listOf(reader.string(), option); // Extensions: whoever does not know one ignores it.
  reader.string(); // Reserved.
  const authority = reader.string();
  const signed = bytes.subarray(0, reader.position);
  const signature = reader.string();
  reader.end();
  return {
    ...{ keyType, key, usage, principals, validAfter, validBefore },
    ...{ criticalOptions, authority, signed, signature },
  };
}

function listOf<T>(bytes: Buffer, read: (reader: SshReader) => T): T[] {
  const reader = new SshReader(bytes);
  const entries: T[] = [];
  while (!reader.done) entries.push(read(reader));
  return entries;
}
