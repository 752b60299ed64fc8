import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Login } from "#checks/login.ts";
import { type HostEntry, hostEntry } from "#inventory/inventory.ts";
import { endpointOf } from "#transport/endpoint.ts";
import { sshArguments } from "./ssh-arguments.ts";

const entry = hostEntry.parse({ platform: "linux", address: "fd00::1", port: 2222, user: "ops" });
const key = { type: "ssh-rsa", blob: "AAAA", fingerprint: "SHA256:a" };

const login = (name: string, of: Partial<HostEntry>, more: Partial<Login> = {}): Login => ({
  endpoint: endpointOf(name, true, { ...entry, ...of }, undefined, { home: "/home/me", agent: "/agent" }),
  credentials: undefined,
  key: undefined,
  ...more,
});
const own = (more: Partial<Login> = {}) => [login("rack1", {}, more)];
const outside = (address: string): Login => {
  const { endpoint, ...rest } = login(`ops@${address}`, { address, port: undefined });
  return { ...rest, endpoint: { ...endpoint, listed: false } };
};

test("a pinned key is the only one that counts", () => {
  const { args, files } = sshArguments(entry, own({ key }), "/run/x");
  expect(args.join(" ")).toBe(
    "-p 2222 -l ops -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/run/x/known_hosts -o GlobalKnownHostsFile=none " +
      "-o HostKeyAlgorithms=rsa-sha2-512,rsa-sha2-256 -o UpdateHostKeys=no -- fd00::1",
  );
  expect(files).toEqual({ "/run/x/known_hosts": "* ssh-rsa AAAA\n" });
});

test("without a pin the operator's known_hosts decides, strictly", () => {
  const { args, files } = sshArguments(entry, own(), "/run/x");
  expect(args.join(" ")).toBe("-p 2222 -l ops -o StrictHostKeyChecking=yes -- fd00::1");
  expect(files).toEqual({});
});

test("a secret key goes into a file, never among the arguments", () => {
  const credentials = { privateKey: "-----BEGIN" };
  const named = { ...entry, identityFile: "~/.ssh/other" };
  const { args, files } = sshArguments(named, own({ key, credentials }), "/run/x");
  expect(args.join(" ")).toContain("-i /run/x/key -o");
  expect(args.join(" ")).toContain("IdentitiesOnly=yes");
  expect(args.join(" ")).not.toMatch(/BEGIN|other/);
  expect(files["/run/x/key"]).toBe("-----BEGIN\n");
});

test("jump hosts outside of the inventory, or none, stand before those of the ssh config", () => {
  const args = (changes: object, before: Login[] = []) =>
    sshArguments({ ...entry, ...changes }, [...before, ...own()], "/run/x").args.join(" ");
  const jump = ["ops@10.0.0.1:2222", "ops@10.0.0.2"];
  expect(args({ jump }, [outside("10.0.0.1"), outside("10.0.0.2")])).toContain(
    " -J ops@10.0.0.1:2222,ops@10.0.0.2 ",
  );
  expect(args({ jump: [] })).toContain(" -J none ");
  expect(args({}, [outside("10.0.0.1")])).not.toMatch(/-J|ProxyCommand/);
  expect(args({ sshConfig: false })).toMatch(/^-F none /);
});

/** What ssh makes of a machine in the configuration that was written for it. */
function readBySsh(config: string, alias: string): Record<string, string> {
  const printed = execFileSync("ssh", ["-G", "-T", "-F", config, alias], { encoding: "utf8" });
  return Object.fromEntries(
    printed.split("\n").map((line) => [line.split(" ", 1)[0], line.replace(/^\S+ /, "")]),
  );
}

test("jump hosts of the inventory come with user, port, key and pin of their entries, in whatever folder", () => {
  const top = mkdtempSync(join(tmpdir(), "gpu-hosts-args-"));
  const folder = join(top, "it's 100% mine");
  mkdirSync(folder);
  try {
    const secret = "-----BEGIN SECRET";
    const bastion = login("bastion", { address: "10.0.0.1" }, { key, credentials: { privateKey: secret } });
    const inner = login("inner", { address: "192.168.7.2", user: "me", port: 22, identityFile: "/keys/a b" });
    const { args, files } = sshArguments({ ...entry, jump: "inner" }, [bastion, inner, ...own()], folder);
    expect(args.join(" ")).not.toContain("SECRET");
    for (const [path, content] of Object.entries(files)) writeFileSync(path, content);
    const config = join(folder, "jump_hosts");
    expect(files[config]).not.toContain("SECRET");

    const leads = (config: string, alias: string) =>
      `ssh -F '${config.replaceAll("'", "'\\''").replaceAll("%", "%%")}' -W '[%h]:%p' ${alias}`;
    expect(args).toContain(`ProxyCommand=${leads(config, "gpu-hosts-jump-2")}`);
    expect(readBySsh(config, "gpu-hosts-jump-2")).toMatchObject({
      hostname: "192.168.7.2",
      port: "22",
      user: "me",
      proxycommand: leads(config, "gpu-hosts-jump-1"),
      identityfile: "/keys/a b",
      identitiesonly: "yes",
      identityagent: "/agent",
      stricthostkeychecking: "true",
      userknownhostsfile: expect.stringContaining("/home/me/.ssh/known_hosts"),
    });
    const first = readBySsh(config, "gpu-hosts-jump-1");
    expect(first).toMatchObject({
      hostname: "10.0.0.1",
      port: "2222",
      user: "ops",
      hostkeyalgorithms: "rsa-sha2-512,rsa-sha2-256",
      identityfile: join(folder, "key-1").replaceAll("%", "%%"),
      userknownhostsfile: join(folder, "known_hosts-1"),
    });
    expect(first).not.toHaveProperty("proxycommand");
    expect(files).toMatchObject({
      [join(folder, "known_hosts-1")]: "* ssh-rsa AAAA\n",
      [join(folder, "key-1")]: `${secret}\n`,
    });
  } finally {
    rmSync(top, { recursive: true });
  }
});
