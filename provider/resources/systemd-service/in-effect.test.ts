import { describe, expect, test } from "vitest";
import type { UnitProcess } from "#facts/running-files.ts";
import type { UnitInEffect } from "#facts/unit-in-effect.ts";
import { effectFindings, isDeletable, staleFile } from "./in-effect.ts";
import { inputs } from "./inputs.ts";
import { renderLink } from "./rendered.ts";

const name = "llama-chat@1.service";
const unit =
  "[Service]\nExecStart=/usr/bin/x --model /srv/m.gguf --key 's3 cret'\n[Install]\nWantedBy=a.target\n";
const want = inputs.parse({ name, unit });
const own = `/etc/systemd/system/${name}`;
const link = `${own}.d/90-gpu-hosts.conf`;
const file = { type: "file", mode: "644", owner: "root:root", changed: 1, merged: true } as const;

/** The unit as wanted, but for what is given; more files are merged into it. */
const unitWith = (
  more: Partial<UnitInEffect> = {},
  files: Record<string, Partial<(typeof file & { text: string }) | { target: string }>> = {},
): UnitInEffect => ({
  load: "loaded",
  fragment: own,
  dropIns: [link, ...Object.keys(files).filter((path) => path !== own && path !== link)],
  needsReload: false,
  transient: false,
  starts: [{ program: "/usr/bin/x", line: "/usr/bin/x --model /srv/m.gguf --key s3 cret" }],
  ...more,
  files: new Map([
    [own, { ...file, text: unit, ...files[own] }],
    [link, { ...file, text: renderLink(name) ?? "", ...files[link] }],
    ...Object.entries(files)
      .filter(([path]) => path !== own && path !== link)
      .map(([path, is]) => [path, { ...file, text: "[Service]\nNice=1\n", ...is }] as const),
  ]),
});
const texts = (seen: UnitInEffect) => effectFindings(want, seen).map(({ text }) => text);

describe("files of others", () => {
  test.each([
    `/run/systemd/system/${name}.d/a.conf`,
    `/etc/systemd/system.control/${name}.d/50-CPUWeight.conf`,
    `/run/systemd/transient/${name}.d/a.conf`,
    "/etc/systemd/system/llama-chat@.service.d/a.conf",
  ])("%s counts and can go", (path) => {
    expect(texts(unitWith({}, { [path]: {} }))).toEqual([
      `${path} is not ours, and systemd merges it into the unit: it sets Nice`,
    ]);
    expect(isDeletable(name, path)).toBe(true);
  });

  test.each(["/etc/systemd/system/llama-.service.d/a.conf", "/etc/systemd/system/service.d/a.conf"])(
    "%s counts, and others need it",
    (path) => {
      expect(texts(unitWith({}, { [path]: {} }))).toHaveLength(1);
      expect(isDeletable(name, path)).toBe(false);
    },
  );

  test("what a container's or a distribution's generator gives all services does not count", () => {
    for (const folder of ["/run/systemd/system", "/run/systemd/generator", "/usr/lib/systemd/system"])
      expect(texts(unitWith({}, { [`${folder}/service.d/zzz-lxc-service.conf`]: {} }))).toEqual([]);
  });

  test("names of what one sets are told, never its values", () => {
    const text = "[Service]\nEnvironment=TOKEN=s3cret\n Nice = 3\n# Secret=1\n";
    const told = texts(unitWith({}, { [`/run/systemd/system/${name}.d/a.conf`]: { text } })).join();
    expect(told).toContain("it sets Environment, Nice");
    expect(told).not.toContain("s3cret");
  });

  test("one that hides ours counts although nothing of it is merged; one that went stays until a reload", () => {
    const path = `/etc/systemd/system.control/${name}.d/90-gpu-hosts.conf`;
    const hiding = unitWith({ dropIns: [] }, { [path]: { merged: false as never, text: "" } });
    expect(texts(hiding)).toEqual([expect.stringContaining(path), `systemd has not read ${link}`]);
    const gone = `/run/systemd/system/${name}.d/gone.conf`;
    expect(texts(unitWith({ dropIns: [link, gone] }))).toEqual([
      `${gone} is gone, yet systemd goes on with it`,
    ]);
  });
});

test("our own files: links, modes and owners; where the text differs, that is told elsewhere", () => {
  expect(texts(unitWith({}, { [own]: { mode: "666" as never } }))).toEqual([
    `${own} is 666 root:root, should be 644 root:root`,
  ]);
  expect(texts(unitWith({}, { [own]: { type: "symlink" as never, target: "/root/x" } }))).toEqual([
    `${own} is a link to /root/x, should be a file`,
  ]);
  expect(texts(unitWith({}, { [own]: { mode: "666" as never, text: "other" } }))).toEqual([]);
});

describe("the command in effect", () => {
  const starts = (line: string) => unitWith({ starts: [{ program: "/usr/bin/x", line }] });
  const other = ["systemd starts /usr/bin/x in another way than the unit says"];
  test("another one is told without its arguments", () => {
    expect(texts(starts("/usr/bin/x --model /srv/m.gguf --key other"))).toEqual(other);
    expect(texts(unitWith({ starts: [] }))).toEqual(["systemd starts 0 commands, and the unit has 1"]);
    expect(texts(starts("/usr/bin/x --model /srv/m.gguf --key s3 cret"))).toEqual([]);
  });

  test.each([
    ["continued lines, quotes and a prefix", "ExecStart=-/bin/a \\\n  'b c' \"d\"\n", "/bin/a b c d"],
    ["what systemd puts in", "ExecStart=/bin/a %i\n", "/bin/a 1"],
    ["an empty one drops those before", "ExecStart=/bin/b\nExecStart=\nExecStart=/bin/a\n", "/bin/a"],
  ])("%s", (_, lines, line) => {
    const text = `[Service]\n${lines}`;
    const seen = unitWith({ starts: [{ program: "/bin/a", line }] }, { [own]: { text } });
    expect(effectFindings({ ...want, unit: text }, seen)).toEqual([]);
  });
});

describe("what processes go on with", () => {
  const uses = (path: string, more: Partial<UnitProcess["files"][number]> = {}) =>
    staleFile(want, [
      { pid: 1, began: 1, environment: "", files: [{ path, program: false, stale: true, ...more }] },
    ]);
  test.each([
    "/srv/m.gguf",
    "/var/lib/gpu-hosts/models/a/b/m.gguf",
    "/var/lib/gpu-hosts/downloads/llama.cpp/1/libx.so",
    "/usr/lib/x86_64-linux-gnu/libggml-cuda.so.0",
  ])("%s counts", (path) => {
    expect(uses(path)).toBe(`runs with a file that was replaced: ${path}`);
    expect(uses(path, { stale: false })).toBeUndefined();
  });

  test.each([
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "/var/log/server.log",
    "/tmp/x",
    "/var/lib/gpu-hosts/.cache/kernel",
    "/var/lib/gpu-hosts/models/.cache/x",
  ])("%s does not", (path) => {
    expect(uses(path)).toBeUndefined();
  });

  test("the program counts wherever it lies", () => {
    expect(uses("/opt/x", { program: true })).toBe("runs with a file that was replaced: /opt/x");
  });
});
