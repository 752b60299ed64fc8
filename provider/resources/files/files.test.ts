import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { missingAccounts } from "#facts/accounts.ts";
import { contents, entries } from "#facts/files.ts";
import { shown } from "#provider/contract/step.ts";
import { compare } from "#provider/converge/compare.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { files } from "./files.ts";

const want = files.inputs.parse({ files: { "/a": { content: "ours\n" } } });
const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** A host with one regular file. */
function hostWith(content: Buffer) {
  const stat = `81a4 root:root ${content.length} /a\0`;
  return fakeHost({
    [keyOf(entries(["/a"]).command)]: `${stat}\0\0\0\0${sha256(content)}  /a\0`,
    [keyOf(contents(["/a"]).command)]: `${content.toString("base64")}\n`,
  });
}
const context = { before: () => undefined };

test("other text is a difference, in full", async () => {
  const seen = await files.observe(hostWith(Buffer.from("theirs\n")), want, undefined);
  expect(compare(want, seen)).toEqual([
    { path: ["files", "/a", "content"], kind: "update", want: "ours\n", have: "theirs\n" },
  ]);
});

test.each([
  ["binary", Buffer.from([0, 1, 2, 255])],
  ["large", Buffer.alloc(70_000, "x")],
])(
  "other content that is %s is a finding, with size and hash; it is written anew and remembered as it was",
  async (_, content) => {
    const seen = await files.observe(hostWith(content), want, undefined);
    const what = `${content.length} bytes, sha256 ${sha256(content)}`;
    expect(compare(want, seen)).toEqual([
      { path: ["files", "/a", "content"], kind: "finding", text: `is other than wanted: ${what}` },
    ]);
    expect(seen?.originals).toEqual({
      "file /a": { content: `(${what})`, mode: "0644", owner: "root:root" },
    });
    expect([...files.apply(want, seen, context)].map(shown)).toEqual(["write /a (0644 root:root, 5 bytes)"]);
  },
);

test("such content at a path that is no longer wanted is no finding", async () => {
  const other = files.inputs.parse({ files: { "/b": { directory: true } } });
  const content = Buffer.from([0, 1]);
  const host = fakeHost({
    [keyOf(entries(["/b", "/a"]).command)]: `81a4 root:root 2 /a\0\0\0\0\0${sha256(content)}  /a\0`,
    [keyOf(contents(["/a"]).command)]: `${content.toString("base64")}\n`,
  });
  const seen = await files.observe(host, other, want);
  expect(seen?.findings).toEqual([]);
  expect(seen?.config.files).toEqual({
    "/a": { content: `(2 bytes, sha256 ${sha256(content)})`, mode: "0644", owner: "root:root" },
  });
});

test("a user that a file of ours makes and that is gone is a finding, and made by reading the file again", async () => {
  const at = "/etc/sysusers.d/x.conf";
  const content = '# g no\ng gpus - -\nu serves - "x y" /home/x\nm serves gpus\nu %i-x -\n';
  const made = files.inputs.parse({ files: { [at]: { content } } });
  const asked = { users: ["serves"], groups: ["gpus"], members: [{ user: "serves", group: "gpus" }] };
  const host = fakeHost({
    [keyOf(entries([at]).command)]:
      `81a4 root:root ${content.length} ${at}\0\0\0\0${sha256(Buffer.from(content))}  ${at}\0`,
    [keyOf(missingAccounts(asked).command)]: "user\tserves\nmember\tserves\tgpus\n",
  });
  const seen = await files.observe(host, made, made);
  expect(seen?.findings).toEqual([{ path: ["files", at, "content"], text: "there is no user serves" }]);
  expect([...files.apply(made, seen, context)].map(shown)[0]).toBe(`have the system read ${at}`);
});

test("what a file of sysusers.d makes is made before it is written, and goes after it, also where another stood there", () => {
  const at = "/etc/sysusers.d/it.conf";
  const users = files.inputs.parse({ files: { [at]: { content: "u it -\n" } } });
  const applied = [...files.apply(users, undefined, context)].map(shown);
  expect(applied).toEqual([`have the system read ${at}`, expect.stringContaining(`write ${at}`)]);
  const goes = `take away what came with ${at}`;
  const have = { config: users };
  expect([...files.remove(have, context)].map(shown)).toEqual([`delete ${at}`, goes]);
  const theirs = { before: () => ({ content: "# theirs\n", mode: "0644", owner: "root:root" }) };
  expect([...files.remove(have, theirs)].map(shown)).toEqual([`put ${at} back as it was`, goes]);
});
