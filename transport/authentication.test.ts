import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Credentials, hostEntry } from "#inventory/inventory.ts";
import { loginMethods } from "./authentication.ts";
import { endpointOf } from "./endpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-auth-"));
const home = join(folder, "home");
const empty = join(folder, "empty");
beforeAll(() => {
  for (const path of [join(home, ".ssh"), empty]) mkdirSync(path, { recursive: true });
  const make = (path: string, type: string, passphrase = "") =>
    execFileSync("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-f", path]);
  make(join(home, ".ssh", "id_ed25519"), "ed25519");
  make(join(home, ".ssh", "id_ecdsa"), "ecdsa", "secret words");
  make(join(folder, "locked"), "ed25519", "secret words");
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Given {
  readonly identityFile?: string;
  readonly credentials?: Credentials;
  readonly home?: string;
  readonly agent?: string;
}
const labels = ({ identityFile, credentials, home: at = home, agent }: Given) =>
  loginMethods(
    endpointOf(
      "gpu1",
      true,
      {
        ...hostEntry.parse({ platform: "linux", address: "10.0.0.1" }),
        ...(identityFile && { identityFile }),
      },
      undefined,
      { home: at, agent },
    ),
    credentials,
  ).map(({ label }) => label);

test("the key of the credentials stands alone", () => {
  const privateKey = readFileSync(join(home, ".ssh", "id_ed25519"), "utf8");
  expect(labels({ credentials: { privateKey }, agent: "/agent" })).toEqual(["credentials.gpu1.privateKey"]);
});

test("a key file that is named comes first, ~ is the home directory, the agent second", () => {
  expect(labels({ identityFile: "~/.ssh/id_ed25519", agent: "/agent" })).toEqual([
    join(home, ".ssh", "id_ed25519"),
    "ssh-agent /agent",
  ]);
});

test("nothing named: the agent, then the usual files that need no passphrase", () => {
  expect(labels({ agent: "/agent" })).toEqual(["ssh-agent /agent", join(home, ".ssh", "id_ed25519")]);
});

test("a passphrase opens a locked key", () => {
  const credentials = { passphrase: "secret words" };
  expect(labels({ identityFile: join(folder, "locked"), credentials })).toEqual([join(folder, "locked")]);
  const privateKey = readFileSync(join(folder, "locked"), "utf8");
  expect(labels({ credentials: { privateKey, ...credentials } })).toEqual(["credentials.gpu1.privateKey"]);
});

test("a locked key without passphrase is left to the agent, and without one refused naming the credential", () => {
  const identityFile = join(folder, "locked");
  expect(labels({ identityFile, agent: "/agent" })).toEqual(["ssh-agent /agent"]);
  expect(() => labels({ identityFile })).toThrow(/locked.*\n.*credentials\.gpu1\.passphrase/);
});

test("a wrong passphrase names the credential", () => {
  const identityFile = join(folder, "locked");
  expect(() => labels({ identityFile, credentials: { passphrase: "no" } })).toThrow(
    "credentials.gpu1.passphrase",
  );
});

test("a missing file, a public key and rubbish are refused by name", () => {
  expect(() => labels({ identityFile: join(folder, "none"), agent: "/agent" })).toThrow(
    /identityFile .*none.*ENOENT/,
  );
  expect(() => labels({ identityFile: join(folder, "locked.pub") })).toThrow("public key");
  expect(() => labels({ credentials: { privateKey: "rubbish" } })).toThrow(
    "cannot use credentials.gpu1.privateKey",
  );
});

test("no key anywhere is said, with what can be done", () => {
  expect(() => labels({ home: empty })).toThrow(/no key to log in with.*\n.*hosts\.gpu1\.identityFile/);
});
