import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fingerprintOf, judgeKey, keyAlgorithms, knownHostsName, parseKnownHosts } from "./host-key.ts";

const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-key-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Made {
  readonly line: string;
  readonly blob: Buffer;
}

function make(name: string, type: string): Made {
  execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", join(folder, name)]);
  const [kind, base64 = ""] = readFileSync(join(folder, `${name}.pub`), "utf8").split(" ");
  return { line: `${kind} ${base64}`, blob: Buffer.from(base64, "base64") };
}

let ours: Made;
let other: Made;
let ecdsa: Made;
beforeAll(() => {
  ours = make("ours", "ed25519");
  other = make("other", "ed25519");
  ecdsa = make("ecdsa", "ecdsa");
});

const judge = (text: string, address = "gpu1.example", port = 22, key = ours) =>
  judgeKey(key.blob, parseKnownHosts(text, knownHostsName(address, port))).state;

test("the fingerprint is the one ssh-keygen prints", () => {
  const printed = execFileSync("ssh-keygen", ["-lf", join(folder, "ours.pub")], { encoding: "utf8" });
  expect(printed.split(" ")[1]).toBe(fingerprintOf(ours.blob));
});

test.each([
  ["a plain name", () => `gpu1.example ${ours.line}`, "known"],
  ["one of several names", () => `10.0.0.1,gpu1.example ${ours.line} comment`, "known"],
  ["a name in another case", () => `GPU1.Example ${ours.line}`, "known"],
  ["a wildcard", () => `*.example ${ours.line}`, "known"],
  ["a question mark", () => `gpu?.example ${ours.line}`, "known"],
  ["a negated name", () => `*.example,!gpu1.example ${ours.line}`, "unknown"],
  ["a dot that must be a dot", () => `gpu1xexample ${ours.line}`, "unknown"],
  ["another host", () => `gpu2.example ${ours.line}`, "unknown"],
  ["the same host on another port", () => `[gpu1.example]:2222 ${ours.line}`, "unknown"],
  ["another key", () => `gpu1.example ${other.line}`, "changed"],
  ["a key of another type only", () => `gpu1.example ${ecdsa.line}`, "changed"],
  ["one right key among several", () => `gpu1.example ${ecdsa.line}\ngpu1.example ${ours.line}`, "known"],
  ["a revoked key", () => `@revoked * ${ours.line}`, "revoked"],
  ["a key revoked and listed", () => `gpu1.example ${ours.line}\n@revoked * ${ours.line}`, "revoked"],
  ["a certificate authority", () => `@cert-authority * ${ours.line}`, "unknown"],
  ["a comment and empty lines", () => `\n# gpu1.example ${ours.line}\n\n`, "unknown"],
  ["rubbish", () => "gpu1.example\n|1|x\n@\nssh-ed25519", "unknown"],
  ["an empty file", () => "", "unknown"],
])("known_hosts with %s", (_, text, state) => {
  expect(judge(text())).toBe(state);
});

test("a name hashed by ssh-keygen is found, with and without a port", () => {
  const path = join(folder, "known_hosts");
  writeFileSync(path, `gpu1.example ${ours.line}\n[gpu1.example]:2222 ${other.line}\n`);
  execFileSync("ssh-keygen", ["-q", "-H", "-f", path], { stdio: "ignore" });
  const hashed = readFileSync(path, "utf8");
  expect(hashed).toContain("|1|");
  expect(judge(hashed)).toBe("known");
  expect(judge(hashed, "gpu1.example", 2222, other)).toBe("known");
  expect(judge(hashed, "gpu1.example", 2222, ours)).toBe("changed");
  expect(judge(hashed, "gpu2.example")).toBe("unknown");
});

test("an IPv6 address with a port", () => {
  expect(judge(`[fd00::1]:2222 ${ours.line}`, "fd00::1", 2222)).toBe("known");
  expect(judge(`fd00::1 ${ours.line}`, "FD00::1", 22)).toBe("known");
});

test("a changed key is told with both fingerprints", () => {
  expect(judgeKey(ours.blob, parseKnownHosts(`gpu1 ${other.line}`, "gpu1"))).toEqual({
    state: "changed",
    fingerprint: fingerprintOf(ours.blob),
    expected: [fingerprintOf(other.blob)],
  });
});

test("a host is asked first for the type of key we hold, and never for one with SHA-1", () => {
  expect(keyAlgorithms([])[0]).toBe("ssh-ed25519");
  const known = parseKnownHosts(`gpu1 ${ecdsa.line}`, "gpu1");
  expect(keyAlgorithms(known)[0]).toBe("ecdsa-sha2-nistp256");
  expect(keyAlgorithms(known)).toContain("ssh-ed25519");
  expect(keyAlgorithms(known)).not.toContain("ssh-rsa");
});
