import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Hub, startHub } from "#lab/hub.ts";
import { showChanges } from "#provider/adapter/shown-changes.ts";
import type { Config } from "#provider/contract/resource.ts";
import { changeLines } from "#provider/converge/change-text.ts";
import { converge } from "#provider/converge/converge.ts";
import { download } from "#provider/resources/download/download.ts";
import { downloadFile, downloadFolder, recordFile } from "#provider/resources/download/places.ts";
import { type HostileServer, startHostileServer } from "#tests/hostile/http-server.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Engine, type LogLine, startEngine, urnOf } from "#tests/support/engine.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { actingOn } from "#tests/support/machine.ts";

const hash = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
const scratch = mkdtempSync(join(tmpdir(), "download-"));

/** A tar.gz of files (text), symlinks (`-> target`) and whatever else the arguments of tar make of it. */
function archive(members: Readonly<Record<string, string>>, ...args: string[]): Buffer {
  const folder = mkdtempSync(join(scratch, "tree-"));
  for (const [path, content] of Object.entries(members)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    if (content.startsWith("-> ")) symlinkSync(content.slice(3), join(folder, path));
    else
      writeFileSync(join(folder, path), content, {
        encoding: "latin1",
        mode: path.includes("bin/") ? 0o755 : 0o644,
      });
  }
  const file = `${folder}.tar.gz`;
  execFileSync("tar", ["-czf", file, "-C", folder, ...args, ...Object.keys(members)], { stdio: "pipe" });
  return readFileSync(file);
}

/** What a record holds that an older release wrote: no ctimes, no hashes. */
const listingOfOlderReleases = String.raw`find . -type d -printf '%y\t%m\t%U:%G\t\t\t%p\n' -o -printf '%y\t%m\t%U:%G\t%s %T@ %i\t%l\t%p\n' | LC_ALL=C sort`;

describeLab("Download", () => {
  let life: Life;
  let hub: Hub;
  const on = (command: string) => life.host.exec(command);
  const up = (want: Config, last?: Config) => life.up(download, want, last);
  const drift = async (want: Config) =>
    showChanges((await life.plan(download, want, want)).changes, [], (text) => text).flatMap(changeLines);
  const top = "/var/lib/gpu-hosts/downloads";

  /** Publishes a file and returns its address. */
  const publish = (file: string, content: Buffer) =>
    `${hub.url}/vendor/files/resolve/${hub.publish("vendor/files", { [file]: content })}/${file}`;
  const tool = (version: string, more: Readonly<Record<string, string>> = {}) =>
    archive({
      [`tool-${version}/bin/tool`]: `#!/bin/sh\necho ${version}\n`,
      [`tool-${version}/lib/libtool.so.1`]: version,
      [`tool-${version}/lib/libtool.so`]: "-> libtool.so.1",
      ...more,
    });
  const wantOf = (file: string, content: Buffer, more: Config = {}) => {
    const url = publish(file, content);
    return { name: "tool", url, sha256: hash(content), ...more };
  };
  const unpacked = (version: string, more: Config = {}) =>
    wantOf(`tool-${version}.tar.gz`, tool(version), { unpack: { strip: 1 }, ...more });

  beforeAll(async () => {
    life = await startLife("bookworm");
  });
  afterAll(async () => {
    await hub?.close();
    await life?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await hub?.close();
    hub = await startHub(life.lab.gateway);
    await on(`rm -rf ${top} /var/lib/gpu-hosts/owners /var/lib/gpu-hosts/long`);
  });

  test("an archive: bare → unpacked → clean → changed by hand → seen → repaired → replaced → removed", async () => {
    const want = unpacked("1");
    const folder = downloadFolder(want);
    await up(want);
    expect(await on(`cd ${folder} && ./bin/tool && cat lib/libtool.so && stat -c '%a %U' bin/tool`)).toBe(
      "1\n1755 root\n",
    );
    expect((await up(want, want)).steps).toEqual([]);

    await on(
      `cd ${folder} && echo x >> bin/tool && rm lib/libtool.so && touch extra && chmod 600 lib/libtool.so.1`,
    );
    expect((await drift(want)).sort()).toEqual([
      expect.stringMatching(
        /^content.extra: was not put there by us: file, mode 644, owner 0:0, 0 bytes, written 20/,
      ),
      expect.stringMatching(
        /^content\["bin\/tool"\]: was changed: 19 bytes, written 20.*; it was put there with 17 bytes, written 20/,
      ),
      'content["lib/libtool.so"]: is missing; it was a symlink, mode 777, owner 0:0, to libtool.so.1',
      'content["lib/libtool.so.1"]: was changed: mode 600; it was put there with mode 644',
    ]);
    const asked = hub.requests.length;
    await up(want, want);
    expect(await drift(want)).toEqual([]);
    expect(await on(`cd ${folder} && ./bin/tool && ls . lib`)).toBe(
      "1\n.:\nbin\nlib\n\nlib:\nlibtool.so\nlibtool.so.1\n",
    );
    expect(hub.requests.slice(asked).filter(({ method }) => method === "GET")).toEqual([]);

    const next = unpacked("2");
    const { observation } = await up(next);
    expect(observation.status).toEqual({
      placed: true,
      otherGenerations: { [want.sha256.slice(0, 12)]: { bytes: expect.any(Number), used: true } },
    });
    await life.down(download, want);
    expect(await on(`${folder}/bin/tool; ${downloadFolder(next)}/bin/tool`)).toBe("1\n2\n");

    // The one before the previous goes.
    const third = unpacked("3");
    await up(third);
    await life.down(download, next);
    const generations = [next, third].map(({ sha256 }) => sha256.slice(0, 12)).sort();
    expect(await on(`ls ${top}/tool ${top}/.archives/tool`)).toBe(
      `${top}/.archives/tool:\n${generations.join("\n")}\n\n${top}/tool:\n${generations.join("\n")}\n`,
    );
    await life.down(download, third);
    expect(await on("ls -d /var/lib/gpu-hosts 2>&1 || true")).toContain("No such file");
  });

  test("a content whose times were put back is seen; what is only touched is no drift; an older record counts as it did", async () => {
    const want = unpacked("1");
    const folder = downloadFolder(want);
    await up(want);
    await on(`cd ${folder} && chown 1:1 bin/tool && chown 0:0 bin/tool`);
    expect(await drift(want)).toEqual([]);
    const change = `cd ${folder} && touch -r bin/tool /root/t && printf '#!/bin/sh\necho 9\n' | dd of=bin/tool conv=notrunc status=none && touch -r /root/t bin/tool`;
    await on(change);
    expect(await drift(want)).toEqual(['content["bin/tool"]: holds something else than what was put there']);
    await up(want, want);
    expect(await drift(want)).toEqual([]);
    expect(await on(`${folder}/bin/tool`)).toBe("1\n");

    const record = recordFile(want);
    await on(
      `{ head -n 1 ${record}; cd ${folder}; ${listingOfOlderReleases}; } > /root/r; cp /root/r ${record}`,
    );
    expect(await drift(want)).toEqual([]);
    await on(change);
    expect(await drift(want)).toEqual([]);
    await on(`echo x >> ${folder}/bin/tool`);
    expect(await drift(want)).toHaveLength(1);
    await life.down(download, want);
  });

  test("a file as it is, with owner and mode", async () => {
    const content = randomBytes(300_000);
    const want = wantOf("driver.run", content, { name: "driver", mode: "0755", owner: "ops:ops" });
    await up(want);
    const file = downloadFile(want);
    expect(await on(`stat -c '%a %U %s' ${file}; sha256sum < ${file}`)).toBe(
      `755 ops 300000\n${hash(content)}  -\n`,
    );
    expect((await up(want, want)).steps).toEqual([]);
    await on(`truncate -s 1000 ${file}`);
    expect(await drift(want)).toEqual([
      expect.stringMatching(
        /^content\["driver\.run"\]: was changed: 1000 bytes, .* put there with 300000 bytes/,
      ),
    ]);
    await up(want, want);
    expect(await on(`sha256sum < ${file}`)).toContain(hash(content));
    await life.down(download, want);
    expect(await on(`ls -A ${top} 2>/dev/null || true`)).toBe("");
  });

  const content = randomBytes(4_000_000);
  /** A file of 4 MB; `more` may add mirrors. */
  const large = (more: Config = {}) => wantOf("large.bin", content, { name: "large", ...more });
  const ranges = () =>
    hub.requests
      .filter(({ method, path, status }) => method === "GET" && path.startsWith("/cdn/") && status < 300)
      .map(({ range }) => range);
  const saying = () => {
    const from = life.lines.length;
    return () => life.lines.slice(from).join("\n");
  };
  const message = (work: Promise<unknown>) =>
    work.then(
      () => expect.fail("should have failed"),
      (error: Error) => error.message,
    );
  /** What lies on the host beside the folders of the framework. */
  const left = () => on(`find ${top} -type f 2>/dev/null | sort`);
  const units = () => on("systemctl list-units --plain --no-legend 'gpu-hosts-download-*' | cut -d' ' -f1");
  const half = "large.bin: 2.0 MB of 4.0 MB";

  test("a cut connection is resumed; a server without ranges is asked for all of it", async () => {
    hub.fail({ file: "large.bin", kind: "cut" });
    await up(large());
    expect(ranges()).toEqual(["", "bytes=2000000-"]);

    await on(`rm -rf ${top}`);
    hub.fail({ file: "large.bin", kind: "cut" });
    hub.fail({ file: "large.bin", kind: "whole", times: 2 });
    await up(large());
    expect(ranges().slice(2)).toEqual(["", "bytes=2000000-", ""]);
  });

  test("an address that is down or gives other content is named, and the next one tried", async () => {
    const said = saying();
    const other = publish("other.bin", randomBytes(150_000));
    const { url, ...want } = large();
    const down = "http://127.0.0.1:9/large.bin";
    await up({ ...want, url: down, mirrors: [other, url] });
    expect(said()).toMatch(/http:\/\/127.0.0.1:9\/large.bin: curl: .*; trying http/);
    expect(said()).toContain(`${other}: wrong content, deleted.`);
    expect(said()).toContain(`${hash(content).slice(0, 20)}`);

    await on(`rm -rf ${top}`);
    const error = await message(up({ ...want, url: down, mirrors: [other] }));
    expect(error).toContain("no address delivered it");
    expect(error).toMatch(
      new RegExp(
        `${other}: wrong content.*\\n.*wanted sha256 ${hash(content)}\\n.*got    sha256 (?!${hash(content)})`,
      ),
    );
    expect(error).toMatch(/127.0.0.1:9\/large.bin: curl: /);
    expect(await left()).toBe("");
  });

  test("a disk that is too small is told: before the first byte, and before anything is unpacked", async () => {
    await on(`mkdir -p ${top} && mount -t tmpfs -o size=3m tmpfs ${top}`);
    try {
      expect(await message(up(large()))).toMatch(
        /not enough room in .*: 4\.0 MB to fetch, .* free, .* missing/,
      );
      const zeros = archive({ "tool/zeros": "0".repeat(8_000_000) });
      const dense = wantOf("zeros.tar.gz", zeros, { unpack: {} });
      expect(await message(up(dense))).toMatch(
        /not enough room in .*: 8\.0 MB to unpack, .* free, .* missing/,
      );
      expect(ranges()).toEqual([]);
      expect(await on(`ls -A ${top}/tool 2>/dev/null || true`)).toBe("");

      // Somebody else fills it meanwhile.
      await on(`mount -o remount,size=5m ${top}`);
      hub.fail({ file: "large.bin", kind: "hold" });
      const said = saying();
      const full = message(up(large()));
      await expect.poll(said, { timeout: 60_000 }).toContain(half);
      await on(`dd if=/dev/zero of=${top}/other bs=1M 2>/dev/null || true`);
      hub.release();
      expect(await full).toMatch(/large.bin: cannot write .*: curl: [\s\S]*100%/);
    } finally {
      await on(`umount ${top}`);
    }
  });

  describe("a server that misbehaves", () => {
    let server: HostileServer;
    beforeEach(async () => {
      server = await startHostileServer(life.lab.gateway);
      // A disk of its own, so that the attempt ends somewhere.
      await on(`mkdir -p ${top} && mount -t tmpfs -o size=40m tmpfs ${top}`);
    });
    afterEach(async () => {
      await server.close();
      await on(`umount ${top}`);
    });
    const refusal = (url: string) => message(up({ name: "bad", url, sha256: hash("") }));

    test("sends more than it announced: stopped there, and nothing stays", async () => {
      expect(await refusal(server.endless)).toContain("it sends more than the 0.0 MB that were announced");
      expect(await left()).toBe("");
    });

    test("sends without end and announced nothing: a reserve of the disk stays free, and nothing else stays", async () => {
      const said = saying();
      expect(await refusal(server.unannounced)).toMatch(
        /it does not say how large it is, and came to 39\.\d MB; the rest of the disk stays in reserve/,
      );
      expect(said()).not.toContain("cannot write");
      expect(await left()).toBe("");
    });

    test("sends on to another protocol: not followed", async () => {
      expect(await refusal(server.toFtp)).toMatch(/curl: .*Protocol "ftp" .*disabled/);
      expect(server.ftpConnections).toBe(0);
      expect(await refusal(server.toFile)).toMatch(/curl: .*Protocol "file" .*disabled/);
      expect(await left()).toBe("");
    });
  });

  test.each<[string, () => Buffer, RegExp]>([
    [
      "an absolute member",
      () => archive({ x: "1" }, "-P", "--transform=s|^x|/etc/x|"),
      /must not be unpacked[\s\S]*\/etc\/x/,
    ],
    [
      "a member above the folder",
      () => archive({ x: "1" }, "-P", "--transform=s|^x|a/../../x|"),
      /must not be unpacked[\s\S]*\.\./,
    ],
    [
      "an absolute link",
      () => archive({ "a/passwd": "-> /etc/passwd" }),
      /links that lead out[\s\S]*\/etc\/passwd/,
    ],
    ["a link that climbs out", () => archive({ "a/b/out": "-> ../../../x" }), /links that lead out/],
    [
      "a link that strip lets climb out",
      () => archive({ "a/b/out": "-> ../../x", x: "1" }),
      /links that lead out/,
    ],
    [
      "a file through a link",
      () => archive({ a: "-> /etc", b: "1" }, "-P", "--transform=s|^b$|a/x|"),
      /links that lead out|cannot be unpacked/,
    ],
    ["no archive", () => Buffer.from("<html>not found</html>"), /is no archive that can be read here/],
    ["strip that leaves nothing", () => archive({ x: "1" }), /nothing of bad.tar.gz is left with strip 1/],
  ])("an archive with %s is refused before anything is placed", async (what, make, reason) => {
    const strip = what.includes("strip") ? 1 : 0;
    const want = wantOf("bad.tar.gz", make(), { name: "bad", unpack: { strip } });
    expect(await message(up(want))).toMatch(reason);
    expect(await on(`ls -d ${downloadFolder(want)} /etc/x /x ${top}/x 2>/dev/null || true`)).toBe("");
    expect(await on(`find ${top} -path '*/tree*'`)).toBe("");
    await life.down(download, want);
    expect(await left()).toBe("");
  });

  /**
   * The host's own /bin/true, which the dynamic linker finds to need something that the host does not have.
   */
  async function lacking(from: RegExp, to: string): Promise<Buffer> {
    const program = Buffer.from(await on("base64 --wrap=0 /bin/true"), "base64").toString("latin1");
    expect(program).toMatch(from);
    return Buffer.from(program.replace(from, to), "latin1");
  }

  test.each([
    [
      "a newer system",
      /GLIBC_2\.34/,
      "GLIBC_2.99",
      /it needs GLIBC_2\.99; Debian GNU\/Linux 12 .* has glibc 2\.36/,
    ],
    [
      "a library",
      /libc\.so\.6/,
      "liby.so.6",
      /Debian GNU\/Linux 12 .* does not have liby\.so\.6, which it needs/,
    ],
  ])(
    "a program that needs %s is told before it is put in place, and is tried as nobody",
    async (_, from, to, found) => {
      await on("mkdir -p /var/lib/gpu-hosts && chmod 755 /var/lib/gpu-hosts");
      const bytes = (content: Buffer) => content.toString("latin1");
      const trial = { unpack: { strip: 1 }, trial: ["bin/tool", "--version"] };
      const bad = wantOf("bad.tar.gz", archive({ "tool/bin/tool": bytes(await lacking(from, to)) }), trial);
      const refused = await message(up(bad));
      expect(refused).toContain("bad.tar.gz: bin/tool does not run on this machine (exit code");
      expect(refused).toMatch(found);
      expect(refused).toMatch(/run `up` again$/);
      expect(await on(`ls -d ${downloadFolder(bad)} 2>/dev/null || true`)).toBe("");

      const script = "#!/bin/sh\n[ $(id -u) = 65534 ] && [ ! -w /etc/passwd ] && [ $1 = --version ]\n";
      const good = wantOf("good.tar.gz", archive({ "tool/bin/tool": script }), trial);
      await up(good, bad);
      await life.down(download, good);
    },
  );

  test("a refused archive does not stay as the previous generation of the right one", async () => {
    const bad = wantOf("bad.tar.gz", archive({ "a/passwd": "-> /etc/passwd" }), { unpack: {} });
    await message(up(bad));
    const good = unpacked("1");
    await up(good);
    await life.down(download, bad);
    expect(await on(`ls ${top}/tool ${top}/.archives/tool`)).not.toContain(bad.sha256.slice(0, 12));
    expect(await drift(good)).toEqual([]);
    await on(`rm -rf ${downloadFolder(good)}`);
    expect(await drift(good)).toEqual(['content["."]: the folder is missing']);
    await up(good, good);
    expect(await drift(good)).toEqual([]);
  });

  test("setuid bits and owners of an archive are not taken over; a tar that needs a missing program says so", async () => {
    const folder = mkdtempSync(join(scratch, "setuid-"));
    writeFileSync(join(folder, "su"), "x");
    execFileSync("chmod", ["6777", join(folder, "su")]);
    execFileSync("tar", ["-czf", `${folder}.tgz`, "-C", folder, "--owner=1000", "--group=1000", "su"]);
    const want = wantOf("su.tgz", readFileSync(`${folder}.tgz`), { unpack: {} });
    await up(want);
    expect(await on(`stat -c '%a %U:%G' ${downloadFolder(want)}/su`)).toBe("755 root:root\n");

    const zstd = wantOf("tool.tar.zst", Buffer.from("x"), { name: "zstd", unpack: {} });
    expect(await message(up(zstd))).toContain("install the package zstd");
    expect(hub.requests.filter(({ path }) => path.includes("tool.tar.zst"))).toEqual([]);
  });

  test("Ctrl-C detaches, the next run attaches, and the bytes come once", async () => {
    const want = large();
    hub.fail({ file: "large.bin", kind: "hold" });
    const brake = new AbortController();
    const said: string[] = [];
    const detached = await message(
      converge(
        {
          definition: download,
          claimant: { stack: "lab/test", urn: "urn:pulumi:test::lab::x::it" },
          want: download.inputs.parse(want),
        },
        {
          ...actingOn(life.machine, said, brake.signal),
          report: async (line) => {
            if (line === half) brake.abort();
          },
        },
      ),
    );
    expect(detached).toMatch(
      /detached by Ctrl-C: gpu-hosts-download-large-\w+-\w+\.service goes on on alpha/,
    );
    await life.reconnect();
    const next = saying();
    const attached = up(want);
    await expect.poll(next, { timeout: 60_000 }).toContain(half);
    hub.release();
    await attached;
    expect(ranges()).toEqual([""]);
    expect((await up(want, want)).steps).toEqual([]);
  });

  test("a lost connection is outwaited: the same run sees the work to its end", async () => {
    hub.fail({ file: "large.bin", kind: "hold" });
    const said = saying();
    const whole = up(large());
    await expect.poll(said, { timeout: 60_000 }).toContain(half);
    const sessions = () => on("pgrep -f 'sshd: [r]oot@' | sort");
    const before = (await sessions()).split("\n");
    await on(
      `systemd-run --quiet --collect --unit=outage sh -c 'sleep 1; ip link set eth0 down; pkill -f "sshd: [r]oot@"; sleep 4; ip link set eth0 up'`,
    );
    const over = async () => {
      const { exitCode, stdout } = await life.host.tryExec(
        "pgrep -f 'sshd: [r]oot@'; ! systemctl is-active -q outage",
      );
      return exitCode === 0 && !stdout.split("\n").some((pid) => before.includes(pid) && pid !== "");
    };
    await expect.poll(over, { timeout: 60_000 }).toBe(true);
    hub.release();
    await whole;
    expect(ranges()).toEqual([""]);
  });

  test("a host that loses power goes on where it was, in the next run", async () => {
    const want = large();
    hub.fail({ file: "large.bin", kind: "hold" });
    const said = saying();
    const broken = message(up(want));
    await expect.poll(said, { timeout: 60_000 }).toContain(half);
    await life.host.kill();
    await life.host.powerOn();
    expect(await broken).toMatch(/is gone without a result: the machine went down/);
    await up(want);
    // What curl had not written yet is gone.
    expect(ranges()).toEqual(["", expect.stringMatching(/^bytes=(1[5-9]\d{5}|2000000)-$/)]);
  });

  test("other wants stop what is under way and take its bytes away", async () => {
    hub.fail({ file: "large.bin", kind: "hold" });
    const said = saying();
    const first = up(large()).catch((error: Error) => error.message);
    await expect.poll(said, { timeout: 60_000 }).toContain(half);
    await life.reconnect();
    expect(await first).toContain("connection");
    const content = randomBytes(200_000);
    const next = wantOf("other.bin", content, { name: "large" });
    await up(next);
    expect(await units()).toBe("");
    expect(await left()).toBe(`${top}/.verified/large/${next.sha256.slice(0, 12)}\n${downloadFile(next)}\n`);
  });

  test("a provider that is killed loses nothing; a removal stops what goes on", async () => {
    const urn = urnOf("Download", "large");
    const { address, hostKey, identityFile } = life.host;
    const alpha = { platform: "linux", address, hostKey, identityFile };
    const start = (onLog?: (line: LogLine) => void) =>
      startEngine({ hosts: JSON.stringify({ alpha }) }, onLog ? { onLog } : {});
    // This process holds the host's lock otherwise.
    await life.reconnect();
    hub.fail({ file: "large.bin", kind: "hold", times: 2 });
    const want = { host: "alpha", ...large() };

    const killed: Engine = await start(
      ({ message }) => void (message === half && killed.child.kill("SIGKILL")),
    );
    const { inputs } = await killed.check(urn, want);
    await message(killed.create(urn, inputs));
    await killed.stop();
    const next: Engine = await start(({ message }) => void (message === half && hub.release()));
    const made = await next.create(urn, inputs);
    expect(ranges()).toEqual([""]);
    expect((await next.read(urn, made)).inputs).toEqual(inputs);

    // What a refresh finds gone is repaired, not replaced: the removal of an old one would take the new one
    // away.
    await on(`rm -rf ${downloadFolder({ name: "large", sha256: hash(content) })}`);
    const seen = await next.read(urn, made);
    const { keys, replaces } = await next.diff(urn, seen, inputs);
    expect(keys).toContain("sha256");
    expect(replaces).toEqual([]);
    await next.stop();

    const third: Engine = await start(
      ({ message }) => void (message === half && third.child.kill("SIGKILL")),
    );
    await message(third.update(urn, seen, inputs));
    await third.stop();
    expect(await units()).not.toBe("");
    const fourth = await start();
    await fourth.delete(urn, seen);
    await fourth.stop();
    expect(await units()).toBe("");
    expect(await left()).toBe("");
  });
});
