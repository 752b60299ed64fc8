import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyOf } from "#transport/command.ts";
import type { Host } from "#transport/host.ts";
import { causeOf } from "./linux-causes.ts";

const recorded = readFileSync(
  new URL("../../facts/fixtures/file-systems.debian12.txt", import.meta.url),
  "utf8",
);

/** A host whose file systems are the recorded ones; `asked` holds what it was asked about. */
function hostWith(stdout = recorded): Host & { asked: string[] } {
  const asked: string[] = [];
  const ask: Host["ask"] = async (fact) => {
    asked.push(keyOf(fact.command));
    return fact.parse({ exitCode: 0, stdout, stderr: "" });
  };
  return { asked, ask } as unknown as Host & { asked: string[] };
}

test.each([
  ["mktemp: failed to create file via template '/opt/.x': Read-only file system", /^\/opt .* read-only$/],
  [
    "cp: error writing '/srv/x': No space left on device",
    /^\/srv\/two words .* has 0 bytes free of 65\.5 kB$/,
  ],
  ["E: You don't have enough free space in /var/cache/apt/archives/.", /has 0 bytes free/],
  ["not enough room in /var/lib/gpu-hosts/models: 3.0 MB to fetch", /has 0 bytes free/],
])("%s: the file system is named", async (said, found) => {
  const cause = await causeOf(said, hostWith());
  expect(cause?.found[0]).toMatch(found);
  expect(cause?.hint).toMatch(/run `up` again$/);
});

test("a disk may be full of files", async () => {
  const cause = await causeOf("No space left on device", hostWith());
  expect(cause?.found[1]).toBe(
    "/srv/few (tmpfs) has 1.0 MB free of 1.0 MB, and no file can be made on it (inodes)",
  );
});

test("the path of the step and those that the error names are looked at", async () => {
  const host = hostWith();
  await causeOf("cannot write '/data/a b': No space left (/mnt/models)", host, "/data/step");
  expect(host.asked[0]).toContain("/data/step /data/a /mnt/models /");
});

test("where dash says no more than I/O error, what it comes from is looked up", async () => {
  expect((await causeOf("sh: 5: printf: printf: I/O error", hostWith()))?.found[0]).toContain("read-only");
});

/** A host that answers each fact by its name. */
const systemOf = (answers: Record<string, string>) =>
  ({
    ask: async (fact) => fact.parse({ exitCode: 0, stdout: answers[fact.name] ?? "", stderr: "" }),
  }) as Pick<Host, "ask"> as Host;
const bookworm = systemOf({
  "os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  getconf: "glibc 2.36\n",
});

test.each([
  [
    "x: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by x)\nx: /lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by x)",
    "it was built for a newer system: it needs GLIBC_2.38, GLIBCXX_3.4.32; Debian GNU/Linux 12 (bookworm) has glibc 2.36",
    /`source` compiles it here/,
  ],
  [
    "x: error while loading shared libraries: libgomp.so.1: cannot open shared object file: No such file or directory",
    "Debian GNU/Linux 12 (bookworm) here does not have libgomp.so.1, which it needs",
    /install the package that has it/,
  ],
])("%s: what the program needs and the system has", async (said, found, hint) => {
  const cause = await causeOf(said, bookworm);
  expect(cause?.found).toEqual([found]);
  expect(cause?.hint).toMatch(hint);
});

test("another failure asks the host nothing, and a healthy host is not blamed", async () => {
  const host = hostWith();
  expect(await causeOf("E: Unable to locate package htpo", host)).toBeUndefined();
  expect(host.asked).toEqual([]);
  const healthy = hostWith("/ /dev/vda1 ext4 rw 4096 66053021 19019888 16777216 16140725\n");
  expect(await causeOf("No space left on device", healthy)).toBeUndefined();
});

const attributes = readFileSync(new URL("../../facts/fixtures/lsattr.debian12.txt", import.meta.url), "utf8");
const lines = (...names: readonly string[]) =>
  attributes
    .split("\n")
    .filter((line) => names.some((name) => line.endsWith(` /srv/words-imm/${name}`)))
    .map((line) => `${line}\n`)
    .join("");

test("a file that is immutable is named as that, also where its folder is", async () => {
  const said = "mv: cannot move '/srv/words-imm/.new' to '/srv/words-imm/locked': Operation not permitted";
  const cause = await causeOf(said, hostWith(lines("locked")), "/srv/words-imm/locked");
  expect(cause?.found).toEqual(["/srv/words-imm/locked is immutable (chattr +i)"]);
  expect(cause?.hint).toMatch(/\n {2}chattr -i \/srv\/words-imm\/locked\nThen run `up` again$/);
  const folder = hostWith(lines("conf"));
  expect((await causeOf(said, folder, "/srv/words-imm/conf/x"))?.hint).toContain(
    "chattr -i /srv/words-imm/conf\n",
  );
  expect(folder.asked[0]).toContain("/srv/words-imm/conf/x /srv/words-imm/conf /srv/words-imm/.new");
  expect((await causeOf(said, hostWith(lines("log"))))?.found).toEqual([
    "/srv/words-imm/log is append-only (chattr +a)",
  ]);
});

test("a path as dpkg writes it is looked at, and what root may not do otherwise is not explained so", async () => {
  const host = hostWith(lines("plain"));
  const said = "unable to make backup link of './usr/bin/x' before installing: Operation not permitted";
  expect(await causeOf(said, host)).toBeUndefined();
  expect(host.asked[0]).toContain("/usr/bin/x /usr/bin");
  expect(await causeOf("Permission denied", hostWith(lines("locked")), "/x")).toBeUndefined();
});
