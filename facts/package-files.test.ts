import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyOf } from "#transport/command.ts";
import { diversions, packageFiles } from "./package-files.ts";

const recorded = (name: string) =>
  readFileSync(new URL(`fixtures/${name}.debian12.txt`, import.meta.url), "utf8");
const look = packageFiles(["curl", "procps", "iproute2"], { deep: false });

// On a Debian 12: curl overwritten and its times put back, top deleted, free diverted, vmstat made a symlink.
test("a program that was replaced, deleted or made a link, whatever its times say", () => {
  const { packages, files } = look.parse({ exitCode: 0, stdout: recorded("package-files"), stderr: "" });
  expect(packages).toEqual(new Set(["curl", "procps", "iproute2"]));
  expect([...files].map(([path, { state, hashed }]) => `${path} ${state} ${hashed}`).sort()).toEqual([
    "/usr/bin/curl changed true",
    "/usr/bin/free missing false",
    "/usr/bin/top missing false",
    "/usr/bin/vmstat touched false",
  ]);
  expect(files.get("/usr/bin/top")?.package).toBe("procps");
  expect(files.get("/usr/bin/vmstat")?.now).toEqual({
    type: "l",
    mode: "777",
    owner: "root:root",
    target: "/root/vmstat",
  });
});

test("a deep look asks for all hashes", () => {
  expect(keyOf(look.command)).toContain("set -- 0 1073741824 0 curl procps iproute2");
  expect(keyOf(packageFiles(["curl"], { deep: true }).command)).toContain("set -- 1 1073741824 0 curl");
});

test("diversions of an administrator and of packages", () => {
  expect(diversions.parse({ exitCode: 0, stdout: recorded("diversions"), stderr: "" })).toEqual([
    { path: "/usr/share/man/man1/sh.1.gz", to: "/usr/share/man/man1/sh.distrib.1.gz", by: "dash" },
    { path: "/usr/bin/free", to: "/usr/bin/free.real", by: undefined },
    { path: "/bin/sh", to: "/bin/sh.distrib", by: "dash" },
  ]);
});
