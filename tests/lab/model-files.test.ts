import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { pathText } from "#inventory/problems.ts";
import { type Hub, memberToken, startHub } from "#lab/hub.ts";
import type { Config } from "#provider/contract/resource.ts";
import { converge } from "#provider/converge/converge.ts";
import { modelFiles } from "#provider/resources/model-files/model-files.ts";
import { describeLab } from "#tests/support/describe-lab.ts";
import { type Life, startLife } from "#tests/support/life.ts";
import { actingOn } from "#tests/support/machine.ts";

describeLab("ModelFiles", () => {
  let life: Life;
  let hub: Hub;
  const weights = randomBytes(6_000_000);
  const config = '{"model_type": "llama"}\n';
  const hash = (content: Buffer | string) => createHash("sha256").update(content).digest("hex");
  const on = (command: string) => life.host.exec(command);
  const up = (want: Config, last?: Config) => life.up(modelFiles, want, last);
  const drift = async (want: Config) =>
    (await life.plan(modelFiles, want, want)).changes.map(
      ({ path, text, have }) => `${pathText(path)}: ${text ?? have}`,
    );
  const downloads = (file = "w.gguf") =>
    hub.requests.filter(
      ({ method, path, status }) => method === "GET" && path.endsWith(file) && status < 300,
    );
  const wantOf = (revision: string, more: Config = {}): Config => ({
    name: "lab/model",
    revision,
    source: { kind: "hub", endpoint: hub.url },
    files: { "w.gguf": hash(weights), "config.json": hash(config) },
    ...more,
  });
  const folder = "/var/lib/gpu-hosts/models/lab/model";
  let revision: string;

  beforeAll(async () => {
    life = await startLife("bookworm");
  });
  afterAll(async () => {
    await hub?.close();
    await life?.stop();
  });
  beforeEach(async () => {
    await hub?.close();
    hub = await startHub(life.lab.gateway);
    revision = hub.publish("lab/model", { "w.gguf": weights, "config.json": config });
    await on("rm -rf /var/lib/gpu-hosts/models /var/lib/gpu-hosts/owners /var/lib/gpu-hosts/long");
  });

  test("bare → fetched → clean → truncated by hand → seen → repaired → kept at removal", async () => {
    const want = wantOf(revision);
    await up(want);
    expect(
      await on(`sha256sum < ${folder}/${revision}/w.gguf; stat -c '%a %U' ${folder}/${revision}/*`),
    ).toBe(`${hash(weights)}  -\n644 root\n644 root\n`);
    expect((await up(want, want)).steps).toEqual([]);

    await on(`truncate -s 1000000 ${folder}/${revision}/w.gguf; rm ${folder}/${revision}/config.json`);
    expect(await drift(want)).toEqual([
      'files["config.json"]: undefined',
      'files["w.gguf"]: was changed after it was verified (1000000 bytes)',
    ]);
    await up(want, want);
    expect(await drift(want)).toEqual([]);
    expect(downloads().map(({ range }) => range)).toEqual(["", "bytes=1000000-"]);

    await on(`printf x | dd of=${folder}/${revision}/w.gguf bs=1 seek=500 conv=notrunc status=none`);
    expect(await drift(want)).toEqual(['files["w.gguf"]: was changed after it was verified (6000000 bytes)']);
    await up(want, want);
    expect(await on(`sha256sum < ${folder}/${revision}/w.gguf`)).toContain(hash(weights));

    await life.down(modelFiles, want);
    expect(await on(`ls ${folder}/${revision}`)).toBe("config.json\nw.gguf\n");
    const again = await up(want);
    expect(again.steps).toEqual([]);
    expect(again.adopted).toHaveLength(2);
  });

  test("a content that was changed with its times put back is seen; what only touches a file is no drift", async () => {
    const want = wantOf(revision);
    await up(want);
    const file = `${folder}/${revision}/w.gguf`;
    const stamp = `/var/lib/gpu-hosts/models/.verified/lab/model/${revision}/w.gguf`;
    await on(`chown 1:1 ${file}; chown 0:0 ${file}; touch -r ${file} -a ${file}`);
    expect(await drift(want)).toEqual([]);
    await on(`cp -a ${file} /root/w; printf x | dd of=${file} bs=1 seek=500 conv=notrunc status=none
      touch -r /root/w ${file}`);
    const changed = createHash("sha256")
      .update(Buffer.concat([weights.subarray(0, 500), Buffer.from("x"), weights.subarray(501)]))
      .digest("hex");
    expect(await drift(want)).toEqual([`files["w.gguf"]: ${changed}`]);
    await up(want, want);
    expect(await on(`sha256sum < ${file}`)).toContain(hash(weights));
    expect(await drift(want)).toEqual([]);

    // A stamp of an older release has no ctime: it counts as it did then, and only a deep look finds this.
    await on(`cut -d' ' -f1-3,5 ${stamp} > /root/s; cp /root/s ${stamp}; cp -a ${file} /root/w
      printf x | dd of=${file} bs=1 seek=500 conv=notrunc status=none; touch -r /root/w ${file}`);
    expect(await drift(want)).toEqual([]);
    const deep = await life.observe(modelFiles, want, want, true);
    expect(deep?.config.files).toMatchObject({ "w.gguf": changed, "config.json": hash(config) });
  });

  test("files that somebody put there are checked, not fetched", async () => {
    await on(
      `mkdir -p ${folder}/${revision}; printf '%s\\n' '${config.trim()}' > ${folder}/${revision}/config.json`,
    );
    const want = wantOf(revision, { files: { "config.json": hash(config) } });
    expect(await drift(want)).toEqual([`files["config.json"]: was not verified (${config.length} bytes)`]);
    await up(want);
    expect(await drift(want)).toEqual([]);
    expect(downloads("config.json")).toEqual([]);
  });

  test("a cut connection is resumed where it broke off", async () => {
    hub.fail({ file: "w.gguf", kind: "cut", times: 2 });
    await up(wantOf(revision));
    expect(downloads().map(({ range }) => range)).toEqual(["", "bytes=3000000-", "bytes=4500000-"]);
  });

  test("a wrong hash names both, and nothing of it stays", async () => {
    const want = wantOf(revision, { files: { "w.gguf": "0".repeat(64) } });
    await expect(up(want)).rejects.toThrow(
      new RegExp(`wanted sha256 0{64}[\\s\\S]*got +sha256 ${hash(weights)}`),
    );
    expect(await on("find /var/lib/gpu-hosts/models -type f 2>/dev/null || true")).toBe("");
  });

  test("damage in what an earlier run left is healed by fetching all of it", async () => {
    await on(`mkdir -p /var/lib/gpu-hosts/models/.partial/lab/model/${revision}
      head -c 2000000 /dev/zero > /var/lib/gpu-hosts/models/.partial/lab/model/${revision}/w.gguf`);
    await up(wantOf(revision));
    expect(downloads().map(({ range }) => range)).toEqual(["bytes=2000000-", ""]);
  });

  test("a disk that is too small is told before the first byte", async () => {
    await on(
      "mkdir -p /var/lib/gpu-hosts/models && mount -t tmpfs -o size=4m tmpfs /var/lib/gpu-hosts/models",
    );
    try {
      await expect(up(wantOf(revision))).rejects.toThrow(
        /not enough room.*6\.0 MB to fetch, .* free, .* missing/,
      );
      expect(downloads()).toEqual([]);
    } finally {
      await on("umount /var/lib/gpu-hosts/models");
    }
  });

  test("a gated model needs a token, which no process list and no file shows", async () => {
    const gated = hub.publish("lab/gated", { "w.gguf": weights }, { gated: true });
    const want = wantOf(gated, { name: "lab/gated", files: { "w.gguf": hash(weights) } });
    await expect(up(want)).rejects.toThrow(/HTTP 401.*licence/);
    // Every process that is started with arguments could show it: curl is the only one that gets near it.
    await on(`printf '#!/bin/sh\\necho "$@" >> /run/curled\\nexec /usr/bin/curl "$@"\\n' > /usr/local/bin/curl
      chmod +x /usr/local/bin/curl`);
    await up({ ...want, token: memberToken });
    expect(await on("cat /run/curled; rm /usr/local/bin/curl /run/curled")).toMatch(
      /^(?![\s\S]*hf_)[\s\S]*--config - [\s\S]*resolve/,
    );
    expect(await on(`grep -rl ${memberToken} /var/lib/gpu-hosts /etc 2>/dev/null || true`)).toBe("");
  });

  test("mirrors are tried in order", async () => {
    const url = `${hub.url}/lab/model/resolve/${revision}`;
    const want = wantOf("v1", { source: { kind: "url", url: `${hub.url}/nowhere/`, mirrors: [url] } });
    await up(want);
    expect(await on(`ls ${folder}/v1`)).toBe("config.json\nw.gguf\n");
  });

  test("work goes on without us, and the next run attaches to it", async () => {
    hub.fail({ file: "w.gguf", kind: "refuse", times: 2 });
    const from = life.lines.length;
    const broken = up(wantOf(revision)).catch((error: Error) => error.message);
    await expect.poll(() => life.lines.slice(from).join("\n"), { timeout: 20_000 }).toContain("trying again");
    await life.reconnect();
    const unit = await on("systemctl list-units --plain --no-legend 'gpu-hosts-model-*' | cut -d' ' -f1");
    expect(unit).toMatch(/^gpu-hosts-model-lab-model-\w+-\w+\.service\n$/);
    await up(wantOf(revision));
    expect(downloads()).toHaveLength(1);
    expect(await broken).toContain("connection");
  });

  test("Ctrl-C leaves the work to itself; the removal of what it was for ends it, and nothing of it stays", async () => {
    hub.fail({ file: "w.gguf", kind: "hold" });
    const want = wantOf(revision);
    const brake = new AbortController();
    const subject = {
      definition: modelFiles,
      claimant: { stack: "lab/test", urn: "urn:pulumi:test::lab::ModelFiles::it" },
      want: modelFiles.inputs.parse(want),
    };
    const detached = converge(subject, {
      ...actingOn(life.machine, [], brake.signal),
      report: async (line) => {
        if (line === "w.gguf: 3.0 MB of 6.0 MB") brake.abort();
      },
    });
    await expect(detached).rejects.toThrow("detached by Ctrl-C: gpu-hosts-model-lab-model-");
    const units = () => on("systemctl list-units --plain --no-legend 'gpu-hosts-model-*'");
    expect(await units()).toContain("running");
    expect((await drift(want)).join("\n")).toMatch(
      /^files\["w\.gguf"\]: is not fetched to the end \(\d{7} bytes\)\nfiles\["config\.json"\]: is not fetched to the end \(0 bytes\)$/,
    );

    await life.down(modelFiles, want);
    expect(await units()).toBe("");
    expect(
      await on(
        "find /var/lib/gpu-hosts/models -mindepth 1 2>/dev/null; ls /var/lib/gpu-hosts/owners 2>/dev/null || true",
      ),
    ).toBe("");
    expect(await life.observe(modelFiles, want)).toBeUndefined();
    hub.release();
  });

  test("a dropped file stays, with purge it goes; the old generation goes with its resource only then", async () => {
    const want = wantOf(revision);
    await up(want);
    const fewer = wantOf(revision, { files: { "w.gguf": hash(weights) } });
    expect((await life.plan(modelFiles, fewer, want)).changes).toEqual([]);
    await up({ ...fewer, purge: true }, { ...want, purge: true });
    expect(await on(`ls ${folder}/${revision}`)).toBe("w.gguf\n");

    const next = hub.publish("lab/model", { "w.gguf": weights });
    const newer = wantOf(next, { files: { "w.gguf": hash(weights) }, purge: true });
    const { observation } = await up(newer);
    expect(Object.keys(observation.status?.otherGenerations ?? {})).toEqual([revision]);
    await life.down(modelFiles, { ...fewer, purge: true });
    expect(await on(`ls ${folder}`)).toBe(`${next}\n`);
    await life.down(modelFiles, newer);
    expect(await on("find /var/lib/gpu-hosts/models -mindepth 1 2>/dev/null || true")).toBe("");
  });
});
