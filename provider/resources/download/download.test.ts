import { expect, test } from "vitest";
import { downloaded } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { pathText } from "#inventory/problems.ts";
import type { LongStep } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { declare } from "#provider/declare.ts";
import { declared } from "#tests/support/declared.ts";
import { stepText } from "#tests/support/step-text.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { download } from "./download.ts";
import { archiveFile, downloadFile, downloadFolder, recordFile, stagingFolder } from "./places.ts";

const hash = (digit: string) => digit.repeat(64);
const top = "/var/lib/gpu-hosts/downloads";
const inputs = {
  name: "tool",
  url: "https://x.test/v1/tool-1.tar.gz?raw=1",
  sha256: hash("a"),
  unpack: { strip: 1 },
};
const want = download.inputs.parse(inputs);
const record = JSON.stringify({
  file: "tool-1.tar.gz",
  sha256: hash("a"),
  owner: "root:root",
  mode: "",
  unpack: { strip: 1 },
});
const context = { last: want, before: () => undefined };

const asLines = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

const observe = (lines: readonly string[], wanted = want) => {
  const { command } = downloaded({
    folder: downloadFolder(wanted),
    record: recordFile(wanted),
    unfinished: [stagingFolder(wanted), archiveFile(wanted)],
  });
  const owned = lines.filter((line) => line.startsWith("{"));
  const host = fakeHost({
    [keyOf(command)]: asLines(lines.filter((line) => !owned.includes(line))),
    [keyOf(ownedItems(`download ${top}/tool/`).command)]: asLines(owned),
  });
  return download.observe(host, wanted, wanted);
};
const changes = async (lines: readonly string[], wanted = want) =>
  compare(wanted, await observe(lines, wanted)).map(
    ({ path, kind, want, have, text }) =>
      `${kind} ${pathText(path)}: ${text ?? `${JSON.stringify(want)} → ${JSON.stringify(have)}`}`,
  );
const intact = ["present", `record\t${record}`, "unfinished\t500", `generation\t${"a".repeat(12)}\t900`];

test("its place is known before it is there", () => {
  expect(downloadFolder(want)).toBe(`${top}/tool/aaaaaaaaaaaa`);
  expect(downloadFile({ ...want, url: "https://x.test/a/My%20Tool.run?x=/y" })).toBe(
    `${top}/tool/aaaaaaaaaaaa/My Tool.run`,
  );
  expect(downloadFile({ ...want, directory: "/opt/d" })).toBe("/opt/d/tool/aaaaaaaaaaaa/tool-1.tar.gz");
});

test("as it was put there is in sync; other generations are shown with who is used", async () => {
  const old = "b".repeat(12);
  const owner = JSON.stringify({ item: `download ${top}/tool/${old}`, owners: [{}], before: null });
  const lines = [...intact, `generation\t${old}\t700`, `generation\tcccccccccccc\t600`, owner];
  expect(await changes(lines)).toEqual([]);
  expect((await observe(lines))?.status).toEqual({
    placed: true,
    otherGenerations: { [old]: { bytes: 700, used: true }, cccccccccccc: { bytes: 600, used: false } },
  });
});

test("another address, mirror or mode of an archive is no difference on the host", async () => {
  const other = {
    ...want,
    url: "https://y.test/other.tar.gz",
    mirrors: ["https://z.test/x.tgz"],
    mode: "0600",
  };
  expect(await changes(intact, other)).toEqual([]);
});

test("entries that changed are told one by one, in few words", async () => {
  const time = (seconds: number) => `${1_700_000_000 + seconds}.5`;
  const differs = [
    `differs\tf\t755\t0:0\t12 ${time(0)} 7\t\t./bin/tool`,
    `differs\t>f\t755\t0:0\t13 ${time(60)} 7\t\t./bin/tool`,
    `differs\tl\t777\t0:0\t9 ${time(0)} 8\tlibtool.so.1\t./lib/libtool.so`,
    `differs\t>f\t644\t0:0\t0 ${time(0)} 9\t\t./a name with spaces`,
    `differs\td\t755\t0:0\t\t\t.`,
    `differs\t>d\t700\t0:0\t\t\t.`,
  ];
  expect(await changes([...intact, ...differs])).toEqual([
    'finding content["bin/tool"]: was changed: 13 bytes, written 2023-11-14T22:14:20.500Z; it was put there with 12 bytes, written 2023-11-14T22:13:20.500Z',
    'finding content["lib/libtool.so"]: is missing; it was a symlink, mode 777, owner 0:0, to libtool.so.1',
    'finding content["a name with spaces"]: was not put there by us: file, mode 644, owner 0:0, 0 bytes, written 2023-11-14T22:13:20.500Z',
    'finding content["."]: was changed: mode 700; it was put there with mode 755',
  ]);
  const swept = Array.from({ length: 30 }, (_, i) => `differs\tf\t644\t0:0\t1 1 ${i}\t\t./f${i}`);
  const told = await changes([...intact, ...swept]);
  expect(told).toHaveLength(21);
  expect(told.at(-1)).toContain("10 more entries differ");
});

test("without a record nothing is trusted; a folder that vanished is a difference, nothing at all is absence", async () => {
  expect(await changes(["present", "unfinished\t"])).toEqual([
    'finding content["."]: was not verified when it was put there',
  ]);
  expect(await changes(["unfinished\t500"])).toEqual(['finding content["."]: the folder is missing']);
  expect(await observe(["unfinished\t"])).toBeUndefined();
});

test("other unpacking, owner, or name of a plain file are differences", async () => {
  expect(await changes(intact, { ...want, unpack: { strip: 0 }, owner: "ops:ops" })).toEqual([
    "update unpack.strip: 0 → 1",
    'update owner: "ops:ops" → "root:root"',
  ]);
  const { unpack: _, ...plain } = want;
  const file = JSON.stringify({ file: "old.bin", sha256: hash("a"), owner: "root:root", mode: "0755" });
  expect(await changes(["present", `record\t${file}`], plain)).toEqual([
    'update url: "https://x.test/v1/tool-1.tar.gz?raw=1" → "https://x.test/v1/old.bin"',
    'update mode: "0644" → "0755"',
  ]);
});

test("the work is one of the artifact: other wants have its name and another key", () => {
  const work = (more: object) => [...download.apply({ ...want, ...more }, undefined, context)][0] as LongStep;
  const [one, other] = [work({}), work({ sha256: hash("b") })];
  expect(other.name).toBe(one.name);
  expect(other.key).not.toEqual(one.key);
  expect(work({ directory: "/opt/d" }).name).not.toBe(one.name);
  expect(one.title).toBe(`fetch ${want.url} and unpack it to ${top}/tool/aaaaaaaaaaaa`);
});

test("removed beside one in use it stays as the previous; alone it goes with all that was", () => {
  const removal = (placed: boolean, used: boolean) =>
    [
      ...download.remove(
        {
          config: want,
          status: { placed, otherGenerations: { bbb: { bytes: 1, used }, ccc: { bytes: 1, used: false } } },
        },
        context,
      ),
    ]
      .map(stepText)
      .join("\n");
  const beside = removal(true, true);
  expect(beside).toContain(`${top}/tool/ccc`);
  expect(beside).not.toMatch(/tool\/(bbb|aaaaaaaaaaaa)/);
  expect(removal(false, true)).toMatch(/tool\/aaaaaaaaaaaa/);
  const alone = removal(true, false);
  expect(alone).toContain("systemctl stop");
  for (const name of ["aaaaaaaaaaaa", "bbb", "ccc"]) expect(alone).toContain(`${top}/.archives/tool/${name}`);
});

test("the class declares it, hash and all", async () => {
  const [it] = await declared(() => declare(download, "tool", { host: "rack1", ...inputs }));
  expect(it).toMatchObject({
    type: "gpuhost:index:Download",
    inputs: { host: "rack1", name: "tool", unpack: { strip: 1 } },
  });
});

test.each([
  [{ name: "../x" }, "name"],
  [{ name: "Tool" }, "name"],
  [{ url: "ftp://x.test/a.bin" }, "url"],
  [{ url: "https://x.test/folder/" }, "url"],
  [{ url: "https://x.test/%2e%2e%2fetc" }, "url"],
  [{ url: "https://x.test/%zz" }, "url"],
  [{ url: "https://x.test/a.zip" }, "url"],
  [{ mirrors: ["nowhere"] }, "mirrors.0"],
  [{ sha256: "abc" }, "sha256"],
  [{ unpack: { strip: -1 } }, "unpack.strip"],
  [{ unpack: { strip: 1, into: "/x" } }, "unpack"],
  [{ directory: "/var/../x" }, "directory"],
  [{ trial: [] }, "trial"],
  [{ url: "https://x.test/a.bin", unpack: undefined, trial: ["a.bin"] }, "trial"],
  [{ mode: "644" }, "mode"],
])("%j is refused", (more, path) => {
  const { error } = download.inputs.safeParse({ ...inputs, ...more });
  expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
});
