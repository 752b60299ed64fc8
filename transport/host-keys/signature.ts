import { createPublicKey, type JsonWebKey, type KeyObject, verify } from "node:crypto";
import { SshReader } from "./ssh-reader.ts";

const curves = {
  "ecdsa-sha2-nistp256": { name: "nistp256", crv: "P-256", bytes: 32, hash: "sha256" },
  "ecdsa-sha2-nistp384": { name: "nistp384", crv: "P-384", bytes: 48, hash: "sha384" },
  "ecdsa-sha2-nistp521": { name: "nistp521", crv: "P-521", bytes: 66, hash: "sha512" },
} as const;

/** Hashes of RSA signatures that we accept. No SHA-1. */
const rsaHashes: Readonly<Record<string, string>> = { "rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512" };
/** What OpenSSH asks for, too. */
const minRsaBits = 1024;

/**
 * Verifies an SSH signature (RFC 4253, 6.6; RFC 5656, RFC 8332, RFC 8709).
 * @param key public key of the signer, as SSH writes it
 * @returns whether it is right; throws, saying why, where key or signature are of a kind that we do not take
 */
export function isSignedBy(key: Buffer, data: Buffer, signature: Buffer): boolean {
  const reader = new SshReader(key);
  const type = reader.text();
  const signed = new SshReader(signature);
  const algorithm = signed.text();
  const value = signed.string();
  signed.end();
  if (type === "ssh-rsa") {
    const hash = rsaHashes[algorithm];
    if (hash === undefined) throw new Error(`it is signed with ${JSON.stringify(algorithm)}`);
    return verify(hash, data, rsaKey(reader), value);
  }
  if (algorithm !== type) throw new Error("the kinds of its signature and of its authority's key differ");
  if (type === "ssh-ed25519") return verify(null, data, ed25519Key(reader), value);
  if (isCurve(type)) {
    const { hash, bytes } = curves[type];
    const raw = { key: ecdsaKey(reader, type), dsaEncoding: "ieee-p1363" } as const;
    return verify(hash, data, raw, fixedLength(value, bytes));
  }
  throw new Error(`it is signed with ${JSON.stringify(algorithm)}`);
}

const isCurve = (type: string): type is keyof typeof curves => Object.hasOwn(curves, type);

function rsaKey(reader: SshReader): KeyObject {
  const [e, n] = [reader.natural(), reader.natural()];
  reader.end();
  const key = fromJwk({ kty: "RSA", n: n.toString("base64url"), e: e.toString("base64url") });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < minRsaBits) throw new Error(`the key of its authority has ${bits} bits only`);
  return key;
}

function ed25519Key(reader: SshReader): KeyObject {
  const x = reader.string();
  reader.end();
  return fromJwk({ kty: "OKP", crv: "Ed25519", x: x.toString("base64url") });
}

function ecdsaKey(reader: SshReader, type: keyof typeof curves): KeyObject {
  const { name, crv, bytes } = curves[type];
  const [curve, point] = [reader.text(), reader.string()];
  reader.end();
  const uncompressed = point[0] === 4 && point.length === 1 + 2 * bytes;
  if (curve !== name || !uncompressed) throw new Error("the key of its authority is not well formed");
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)];
  return fromJwk({ kty: "EC", crv, x: x.toString("base64url"), y: y.toString("base64url") });
}

function fromJwk(key: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch (error) {
    throw new Error("the key of its authority is not well formed", { cause: error });
  }
}

/** The two numbers of an ECDSA signature, each in as many bytes as the curve has. */
function fixedLength(value: Buffer, bytes: number): Buffer {
  const reader = new SshReader(value);
  const parts = [reader.natural(), reader.natural()];
  reader.end();
  if (parts.some(({ length }) => length > bytes)) throw new Error("its signature is not well formed");
  return Buffer.concat(parts.flatMap((part) => [Buffer.alloc(bytes - part.length), part]));
}
