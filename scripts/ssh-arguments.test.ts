import { expect, test } from "vitest";
import { hostEntry } from "#transport/inventory.ts";
import { sshArguments } from "./ssh-arguments.ts";

const entry = hostEntry.parse({ platform: "linux", address: "fd00::1", port: 2222, user: "ops" });
const hosts = { rack1: entry };
const key = { type: "ssh-rsa", blob: "AAAA" };

test("a pinned key is the only one that counts", () => {
  const { args, files } = sshArguments(entry, { key, credentials: undefined, hosts, folder: "/run/x" });
  expect(args.join(" ")).toBe(
    "-F /run/x/config -p 2222 -l ops -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/run/x/known_hosts -o GlobalKnownHostsFile=none " +
      "-o HostKeyAlgorithms=rsa-sha2-512,rsa-sha2-256 -o UpdateHostKeys=no -- fd00::1",
  );
  expect(files["/run/x/known_hosts"]).toBe("* ssh-rsa AAAA\n");
});

test("without a pin the operator's known_hosts decides, strictly", () => {
  const { args, files } = sshArguments(entry, { key: undefined, credentials: {}, hosts, folder: "/run/x" });
  expect(args.join(" ")).toBe("-F /run/x/config -p 2222 -l ops -o StrictHostKeyChecking=yes -- fd00::1");
  expect(Object.keys(files)).toEqual(["/run/x/config"]);
});

test("a secret key goes into a file, never among the arguments", () => {
  const credentials = { privateKey: "-----BEGIN" };
  const { args, files } = sshArguments(
    { ...entry, identityFile: "~/.ssh/other" },
    { key, credentials, hosts, folder: "/run/x" },
  );
  expect(args.join(" ")).toContain("-i /run/x/key -o");
  expect(args.join(" ")).toContain("IdentitiesOnly=yes");
  expect(args.join(" ")).not.toMatch(/BEGIN|other/);
  expect(files["/run/x/key"]).toBe("-----BEGIN\n");
});

test("what the entry does not say is left to the ssh config, and root comes after that", () => {
  const alias = hostEntry.parse({ platform: "linux", address: "rack9" });
  const { args, files } = sshArguments(alias, { key: undefined, credentials: {}, hosts, folder: "/run/x" });
  expect(args.join(" ")).toBe("-F /run/x/config -o StrictHostKeyChecking=yes -- rack9");
  expect(files["/run/x/config"]).toMatch(/^Include ~\/.ssh\/config\n[\s\S]*Host \*\n {2}User root\n$/);
  const alone = sshArguments(
    { ...alias, sshConfig: false },
    { key: undefined, credentials: {}, hosts, folder: "/x" },
  );
  expect(alone.files["/x/config"]).toBe("Host *\n  User root\n");
});

test.each([
  ["rack1", "ProxyJump=ops@[fd00::1]:2222"],
  [["rack1", "ops@inner:2200"], "ProxyJump=ops@[fd00::1]:2222,ops@inner:2200"],
  [[], "ProxyJump=none"],
])("the jump %j goes to ssh", (jump, expected) => {
  const { args } = sshArguments(
    { ...entry, jump },
    { key: undefined, credentials: {}, hosts, folder: "/run/x" },
  );
  expect(args).toContain(expected);
});
