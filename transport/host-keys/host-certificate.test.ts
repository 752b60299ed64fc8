import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judgeCertificate } from "./host-certificate.ts";
import { fingerprintOf, type KnownKey, parseKnownHosts } from "./host-key.ts";

const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-certificate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const keygen = (...args: string[]) =>
  execFileSync("ssh-keygen", ["-q", ...args], { cwd: folder, env: { ...process.env, TZ: "UTC" } });

const kindsOfShell: Record<string, readonly string[]> = {
  ed25519: ["ed25519"],
  rsa: ["rsa", "-b", "2048"],
  ecdsa256: ["ecdsa", "-b", "256"],
  ecdsa384: ["ecdsa", "-b", "384"],
  ecdsa521: ["ecdsa", "-b", "521"],
};

/** The key in `NAME.pub`, or the certificate in `NAME-cert.pub`. */
const blobOf = (name: string) =>
  Buffer.from(readFileSync(join(folder, `${name}.pub`), "utf8").split(" ")[1] ?? "", "base64");

let made = 0;
/** A certificate of ssh-keygen's for a host key. @param options before the name of the key */
function certificate(
  options: readonly string[] = ["-n", "gpu1.example"],
  { key = "ed25519", ca = "ca-ed25519", host = true } = {},
) {
  const name = `signed-${made++}`;
  execFileSync("cp", [`${key}.pub`, `${name}.pub`], { cwd: folder });
  keygen("-s", ca, "-I", "rack1", ...(host ? ["-h"] : []), ...options, `${name}.pub`);
  return blobOf(`${name}-cert`);
}

const publicLine = (name: string) => readFileSync(join(folder, `${name}.pub`), "utf8");
const knowing = (...lines: string[]): KnownKey[] => parseKnownHosts(lines.join("\n"), "gpu1.example");
const trusting = (ca: string) => knowing(`@cert-authority *.example ${publicLine(ca)}`);

interface Case {
  readonly name?: string;
  readonly known?: readonly KnownKey[];
  readonly now?: Date;
}
function judge(
  bytes: Buffer,
  { name = "gpu1.example", known = trusting("ca-ed25519"), now = new Date() }: Case = {},
) {
  const vouching = judgeCertificate(bytes, { name, known, now });
  return "fault" in vouching ? vouching.fault : vouching.key.fingerprint;
}
const accepted = () => fingerprintOf(blobOf("ed25519"));

beforeAll(() => {
  for (const [name, type] of Object.entries(kindsOfShell))
    for (const file of [name, `ca-${name}`]) keygen("-t", ...type, "-N", "", "-f", file);
}, 60_000);

describe("a certificate that is right", () => {
  test.each(Object.keys(kindsOfShell))("of a key of the kind %s vouches for that key", (key) => {
    const vouching = judgeCertificate(certificate(undefined, { key }), {
      name: "gpu1.example",
      known: trusting("ca-ed25519").map((line) => ({ ...line, source: "/known_hosts" })),
      now: new Date(),
    });
    const plain = blobOf(key);
    expect(vouching).toEqual({
      key: {
        type: plain.toString("latin1", 4, 4 + plain.readUInt32BE()),
        fingerprint: fingerprintOf(plain),
        mark: undefined,
        source: "its certificate by the authority in /known_hosts",
      },
    });
  });

  test.each(Object.keys(kindsOfShell))("by an authority of the kind %s", (kind) => {
    const ca = `ca-${kind}`;
    // The numbers of an ECDSA signature are now and then shorter than the curve.
    for (let i = 0; i < 8; i += 1)
      expect(judge(certificate(undefined, { ca }), { known: trusting(ca) })).toBe(accepted());
  });

  test("by RSA with SHA-256, and by one of several authorities", () => {
    const signed = certificate(["-n", "gpu1.example", "-t", "rsa-sha2-256"], { ca: "ca-rsa" });
    expect(judge(signed, { known: [...trusting("ca-ecdsa256"), ...trusting("ca-rsa")] })).toBe(accepted());
  });

  test.each([
    ["one of several names", "gpu0.example,gpu1.example", "gpu1.example"],
    ["an address", "10.0.0.1", "10.0.0.1"],
    ["a wildcard", "*.example", "gpu1.example"],
    ["a question mark", "gpu?.example", "gpu1.example"],
  ])("for %s", (_, principals, name) => {
    expect(judge(certificate(["-n", principals]), { name })).toBe(accepted());
  });

  test("with an extension that nobody knows", () => {
    const signed = certificate(["-n", "gpu1.example", "-O", "extension:note@example=x"]);
    expect(judge(signed)).toBe(accepted());
  });

  test("from its first second to the one before its end", () => {
    const signed = certificate(["-n", "gpu1.example", "-V", "20260101000000:20260201000000"]);
    const at = (now: string) => judge(signed, { now: new Date(now) });
    expect(at("2026-01-01T00:00:00Z")).toBe(accepted());
    expect(at("2026-01-31T23:59:59.9Z")).toBe(accepted());
    expect(at("2025-12-31T23:59:59.9Z")).toBe(
      "is not valid before 2026-01-01T00:00:00.000Z; it is 2025-12-31T23:59:59.900Z here",
    );
    expect(at("2026-02-01T00:00:00Z")).toBe(
      "expired at 2026-02-01T00:00:00.000Z; it is 2026-02-01T00:00:00.000Z here",
    );
  });
});

describe("a certificate that is refused", () => {
  test("of a user", () => {
    expect(judge(certificate(undefined, { host: false }))).toBe("is one for users, not for hosts");
  });

  test("of an authority that known_hosts does not trust for this host", () => {
    expect(judge(certificate(undefined, { ca: "ca-ecdsa256" }))).toBe(
      `cannot be used: it is signed by ${fingerprintOf(blobOf("ca-ecdsa256"))}, and known_hosts trusts ${fingerprintOf(blobOf("ca-ed25519"))}`,
    );
    // A plain line of known_hosts for a key makes it no authority.
    const plain = knowing(`gpu1.example ${publicLine("ca-ed25519")}`);
    expect(judge(certificate(), { known: plain })).toContain("it is signed by");
  });

  test.each([
    ["another name", "gpu2.example", 'is for "gpu2.example", not for "gpu1.example"'],
    ["a name in another case", "GPU1.example", 'is for "GPU1.example", not for "gpu1.example"'],
    ["a dot that must be a dot", "gpu1xexample", 'is for "gpu1xexample", not for "gpu1.example"'],
    ["a name with a port", "[gpu1.example]:2222", 'is for "[gpu1.example]:2222", not for "gpu1.example"'],
    [
      "many names",
      "a,b,c,d,e,f,g,h,i,j",
      'is for "a", "b", "c", "d", "e", "f", "g", "h", 2 more, not for "gpu1.example"',
    ],
  ])("for %s", (_, principals, fault) => {
    expect(judge(certificate(["-n", principals]))).toBe(fault);
  });

  test("for no host by name", () => {
    expect(judge(certificate([]))).toBe("names no host that it is for");
  });

  test("with a critical option", () => {
    const signed = certificate(["-n", "gpu1.example", "-O", "critical:only@example=x"]);
    expect(judge(signed)).toBe('makes conditions that nobody knows for a host: "only@example"');
  });

  test("signed with SHA-1", () => {
    const signed = certificate(["-n", "gpu1.example", "-t", "ssh-rsa"], { ca: "ca-rsa" });
    expect(judge(signed, { known: trusting("ca-rsa") })).toBe('cannot be used: it is signed with "ssh-rsa"');
  });

  test("whose authority or key is revoked", () => {
    const revoking = (name: string) => [
      ...trusting("ca-ed25519"),
      ...knowing(`@revoked * ${publicLine(name)}`),
    ];
    expect(judge(certificate(), { known: revoking("ca-ed25519") })).toBe(
      `cannot be used: its authority ${fingerprintOf(blobOf("ca-ed25519"))} is revoked`,
    );
    expect(judge(certificate(), { known: revoking("ed25519") })).toBe(
      `cannot be used: the key in it is revoked: ${accepted()}`,
    );
    expect(judge(certificate(), { known: revoking("rsa") })).toBe(accepted());
  });

  test.each(["ed25519", "rsa", "ecdsa256"])(
    "by %s, with any one bit changed, or cut short, or longer",
    (kind) => {
      const known = trusting(`ca-${kind}`);
      const signed = certificate(undefined, { key: "ed25519", ca: `ca-${kind}` });
      expect(judge(signed, { known })).toBe(accepted());
      for (let at = 0; at < signed.length; at += 1) {
        const changed = Buffer.from(signed);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        expect(judge(changed, { known }), `byte ${at}`).toMatch(/^(has|cannot be used:) /);
      }
      for (let length = 0; length < signed.length; length += 1)
        expect(judge(signed.subarray(0, length), { known })).toContain(
          "cannot be used: it ends in the middle",
        );
      expect(judge(Buffer.concat([signed, Buffer.from([0])]), { known })).toBe(
        "cannot be used: 1 bytes too many",
      );
    },
  );

  test("that is a key, or nothing like it", () => {
    expect(judge(blobOf("ed25519"))).toBe('cannot be used: it is of the type "ssh-ed25519"');
    expect(judge(Buffer.from("rubbish"))).toBe("cannot be used: it ends in the middle");
  });
});
