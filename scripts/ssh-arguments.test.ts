import { expect, test } from "vitest";
import { hostEntry } from "#transport/inventory.ts";
import { sshArguments } from "./ssh-arguments.ts";

const entry = hostEntry.parse({ platform: "linux", address: "fd00::1", port: 2222, user: "ops" });
const login = { user: "ops", port: 2222, key: undefined };
const key = { type: "ssh-rsa", blob: "AAAA" };

test("a pinned key is the only one that counts", () => {
  const { args, files } = sshArguments(entry, {
    login: { ...login, key },
    credentials: undefined,
    folder: "/run/x",
  });
  expect(args.join(" ")).toBe(
    "-p 2222 -l ops -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/run/x/known_hosts -o GlobalKnownHostsFile=none " +
      "-o HostKeyAlgorithms=rsa-sha2-512,rsa-sha2-256 -o UpdateHostKeys=no -- fd00::1",
  );
  expect(files).toEqual({ "/run/x/known_hosts": "* ssh-rsa AAAA\n" });
});

test("without a pin the operator's known_hosts decides, strictly", () => {
  const { args, files } = sshArguments(entry, { credentials: {}, folder: "/run/x", login });
  expect(args.join(" ")).toBe("-p 2222 -l ops -o StrictHostKeyChecking=yes -- fd00::1");
  expect(files).toEqual({});
});

test("a secret key goes into a file, never among the arguments", () => {
  const credentials = { privateKey: "-----BEGIN" };
  const { args, files } = sshArguments(
    { ...entry, identityFile: "~/.ssh/other" },
    { login: { ...login, key }, credentials, folder: "/run/x" },
  );
  expect(args.join(" ")).toContain("-i /run/x/key -o");
  expect(args.join(" ")).toContain("IdentitiesOnly=yes");
  expect(args.join(" ")).not.toMatch(/BEGIN|other/);
  expect(files["/run/x/key"]).toBe("-----BEGIN\n");
});

test("jump hosts of the entry, or none, stand before those of the ssh config", () => {
  const args = (changes: object) =>
    sshArguments({ ...entry, ...changes }, { credentials: {}, folder: "/run/x", login }).args.join(" ");
  expect(args({ jump: ["ops@10.0.0.1:2222", "ops@10.0.0.2"] })).toContain(
    " -J ops@10.0.0.1:2222,ops@10.0.0.2 ",
  );
  expect(args({ jump: [] })).toContain(" -J none ");
  expect(args({})).not.toContain("-J");
  expect(args({ sshConfig: false })).toMatch(/^-F none /);
});
