import { type Certificate, parseCertificate } from "./certificate.ts";
import { fingerprintOf, type KnownKey, wildcard } from "./host-key.ts";
import { isSignedBy } from "./signature.ts";

/** What a host certificate must fit. */
export interface Expected {
  /** What ssh would call the host: HostKeyAlias, else its address; never with a port. */
  readonly name: string;
  /** What known_hosts says of the host: its authorities, and what is revoked. */
  readonly known: readonly KnownKey[];
  readonly now: Date;
}

export type Vouching =
  /**
   * The certificate says that this key is the host's. Whether the host owns the key, its key exchange shows.
   */
  | { readonly key: KnownKey }
  /** What is wrong, as the end of a sentence whose subject is the certificate. */
  | { readonly fault: string };

/**
 * Judges a host certificate as OpenSSH does (sshkey.c, sshkey_cert_check_host; hostfile.c,
 * check_key_not_revoked). As in its present versions a certificate without principals counts for no host.
 */
export function judgeCertificate(bytes: Buffer, expected: Expected): Vouching {
  try {
    const certificate = parseCertificate(bytes);
    const authority = authorityOf(certificate, expected.known);
    if (!isSignedBy(certificate.authority, certificate.signed, certificate.signature))
      return { fault: "has a signature that is wrong: somebody changed it" };
    const fault = faultOf(certificate, expected);
    if (fault !== undefined) return { fault };
    const { keyType: type, key } = certificate;
    const source = `its certificate by the authority in ${authority.source ?? "known_hosts"}`;
    return { key: { type, fingerprint: fingerprintOf(key), mark: undefined, source } };
  } catch (error) {
    // What another machine sent is no certificate that we take.
    return { fault: `cannot be used: ${(error as Error).message}` };
  }
}

/** The line of known_hosts that trusts the signer. */
function authorityOf({ authority, key }: Certificate, known: readonly KnownKey[]): KnownKey {
  const signer = fingerprintOf(authority);
  const revoked = (fingerprint: string) =>
    known.some((entry) => entry.mark === "revoked" && entry.fingerprint === fingerprint);
  if (revoked(signer)) throw new Error(`its authority ${signer} is revoked`);
  if (revoked(fingerprintOf(key))) throw new Error(`the key in it is revoked: ${fingerprintOf(key)}`);
  const authorities = known.filter(({ mark }) => mark === "authority");
  const trusted = authorities.find(({ fingerprint }) => fingerprint === signer);
  if (trusted) return trusted;
  const names = authorities.map(({ fingerprint }) => fingerprint).join(" or ");
  throw new Error(`it is signed by ${signer}, and known_hosts trusts ${names}`);
}

function faultOf(certificate: Certificate, { name, now }: Expected): string | undefined {
  const { usage, validAfter, validBefore, principals, criticalOptions } = certificate;
  const seconds = BigInt(Math.floor(now.getTime() / 1000));
  if (usage !== "host") return "is one for users, not for hosts";
  if (seconds < validAfter) return `is not valid before ${day(validAfter)}; it is ${now.toISOString()} here`;
  if (seconds >= validBefore) return `expired at ${day(validBefore)}; it is ${now.toISOString()} here`;
  if (principals.length === 0) return "names no host that it is for";
  if (!principals.some((pattern) => wildcard(pattern).test(name)))
    return `is for ${some(principals)}, not for ${JSON.stringify(name)}`;
  if (criticalOptions.length > 0)
    return `makes conditions that nobody knows for a host: ${some(criticalOptions)}`;
  return undefined;
}

const lastDayMs = 8.64e15;
const day = (seconds: bigint) => new Date(Math.min(Number(seconds) * 1000, lastDayMs)).toISOString();

const shownLines = 8;
function some(names: readonly string[]): string {
  const shown = names.slice(0, shownLines).map((name) => JSON.stringify(name));
  return [...shown, ...(names.length > shownLines ? [`${names.length - shownLines} more`] : [])].join(", ");
}
