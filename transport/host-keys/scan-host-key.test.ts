import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostEntry } from "#inventory/inventory.ts";
import { endpointOf } from "../endpoint.ts";
import { describeOnSshd } from "../testing/describe-on-sshd.ts";
import { startSshd, type TestSshd } from "../testing/sshd.ts";
import { openWay } from "../way.ts";
import { fingerprintOf } from "./host-key.ts";
import { scanHostKey } from "./scan-host-key.ts";

/** Asks directly, as for an entry without jump hosts. */
function scan(address: string, port: number, wanted?: string) {
  const entry = hostEntry.parse({ platform: "linux", address, port });
  const endpoint = endpointOf("x", true, entry, undefined, { home: "/nonexistent" });
  return scanHostKey(endpoint, () => openWay(endpoint, undefined, new AbortController().signal), { wanted });
}

describeOnSshd("the host key of an sshd", () => {
  let sshd: TestSshd;
  let folder: string;
  let rsa: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "gpu-hosts-scan-"));
    const file = join(folder, "rsa");
    execFileSync("ssh-keygen", ["-q", "-t", "rsa", "-N", "", "-f", file]);
    const [, blob = ""] = readFileSync(`${file}.pub`, "utf8").split(" ");
    rsa = fingerprintOf(Buffer.from(blob, "base64"));
    sshd = await startSshd([`HostKey ${file}`]);
  }, 30_000);
  afterAll(async () => {
    await sshd?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("comes without a login, by every address", async () => {
    for (const address of ["127.0.0.1", "::1", "localhost"]) {
      const { key, software } = await scan(address, sshd.port);
      expect(key.fingerprint).toBe(sshd.fingerprint);
      expect(sshd.hostKeyLine).toContain(`${key.type} ${key.blob}`);
      expect(software).toMatch(/^OpenSSH_/);
    }
  });

  test("of another type is found when it is the one wanted", async () => {
    const ask = (wanted: string) => scan("127.0.0.1", sshd.port, wanted);
    expect((await ask(rsa)).key).toMatchObject({ type: "ssh-rsa", fingerprint: rsa });
    expect((await ask("SHA256:none")).key.fingerprint).toBe(sshd.fingerprint);
  });
});

test("where nobody listens the reason and what to try are told", async () => {
  await expect(scan("127.0.0.1", 1)).rejects.toThrow(/ECONNREFUSED[\s\S]*ssh-keyscan -p 1/);
  await expect(scan("nowhere.invalid", 22)).rejects.toThrow("cannot be resolved");
});
