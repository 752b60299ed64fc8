import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { changeLines, showChanges } from "#checks/change-text.ts";
import type { Config } from "#provider/resource.ts";
import { download } from "#provider/resources/download/download.ts";
import { downloadFile, downloadFolder } from "#provider/resources/download/places.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { describeLab } from "./describe-lab.ts";
import { type Hub, startHub } from "./hub.ts";

const hash = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
const scratch = mkdtempSync(join(tmpdir(), "download-"));

/** A tar.gz of files (text), symlinks (`-> target`) and whatever else the arguments of tar make of it. */
function archive(members: Readonly<Record<string, string>>, ...args: string[]): Buffer {
  const folder = mkdtempSync(join(scratch, "tree-"));
  for (const [path, content] of Object.entries(members)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    if (content.startsWith("-> ")) symlinkSync(content.slice(3), join(folder, path));
    else writeFileSync(join(folder, path), content, { mode: path.includes("bin/") ? 0o755 : 0o644 });
  }
  const file = `${folder}.tar.gz`;
  execFileSync("tar", ["-czf", file, "-C", folder, ...args, ...Object.keys(members)], { stdio: "pipe" });
  return readFileSync(file);
}

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
        /^content.extra: is there, not wanted: "file, mode 644, owner 0:0, 0 bytes, written 20/,
      ),
      expect.stringMatching(
        /^content\["bin\/tool"\]: wanted "17 bytes, written 20.*", is "19 bytes, written 20/,
      ),
      'content["lib/libtool.so"]: missing, wanted "symlink, mode 777, owner 0:0, to libtool.so.1"',
      'content["lib/libtool.so.1"]: wanted "mode 644", is "mode 600"',
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
    expect(await on("ls -A /var/lib/gpu-hosts")).toBe("long\nowners\n");
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
      expect.stringContaining('content["driver.run"]: wanted "300000 bytes'),
    ]);
    await up(want, want);
    expect(await on(`sha256sum < ${file}`)).toContain(hash(content));
    await life.down(download, want);
    expect(await on(`ls -A ${top} 2>/dev/null || true`)).toBe("");
  });
});
