import { expect, test } from "vitest";
import { contents } from "#facts/files.ts";
import { shown } from "#provider/contract/step.ts";
import { keyOf } from "#transport/command.ts";
import { fakeHost } from "#transport/fake.ts";
import { aptSource } from "./apt-source.ts";
import { renderKey } from "./render.ts";

// Any bytes do: the key is checked by apt alone.
const binary = "mDMEZz8AABYJKwYBBAHaRw8BAQdAl5Yq8J3c0Vb7sQp1kZt4m2d6Xh9uE3fWc1nR5yTgLbI=";
const wants = {
  name: "vendor",
  uris: ["https://vendor.example/repo"],
  suites: ["/"],
  key: binary,
  pin: { priority: 600 },
};
const want = aptSource.inputs.parse(wants);
const paths = [
  "/etc/apt/sources.list.d/vendor.sources",
  "/etc/apt/keyrings/vendor.asc",
  "/etc/apt/preferences.d/vendor",
];
const context = { before: () => undefined };

const hostWith = (files: readonly string[]) =>
  fakeHost({
    [keyOf(contents(paths).command)]: files
      .map((text) => `${Buffer.from(text).toString("base64")}\n`)
      .join(""),
  });

/** The files as `apply` writes them on a bare machine. */
function written(): string[] {
  const steps = [...aptSource.apply(want, undefined, context)];
  return paths.map((path) => {
    const step = steps.find((each) => each.kind === "write" && each.path === path);
    return step?.kind === "write" ? step.content : "";
  });
}

const messages = (changes: object) =>
  aptSource.inputs
    .safeParse({ ...wants, ...changes })
    .error?.issues.map(({ path, message }) => `${path.join(".")} ${message}`);

test("what apply writes is read back as wanted", async () => {
  expect((await aptSource.observe(hostWith(written()), want, undefined))?.config).toEqual(want);
});

test("a bare machine has nothing of it", async () => {
  expect(await aptSource.observe(hostWith(["", "", ""]), want, undefined)).toBeUndefined();
});

test("what our inputs have no words for is found, and kept for the removal", async () => {
  const [sources = "", ...rest] = written();
  const edited = `${sources}Trusted: yes\n`;
  const seen = await aptSource.observe(hostWith([edited, ...rest]), want, undefined);
  expect(seen?.config).toEqual(want);
  expect(seen?.findings).toEqual([
    { path: ["sources"], text: `${paths[0]} has lines that are not ours: "Trusted: yes"` },
  ]);
  expect([...aptSource.apply(want, seen, context)].map(shown).at(-2)).toMatch(`write ${paths[0]} `);
  const original = seen?.originals?.["apt source vendor"] as never;
  const back = [...aptSource.remove(seen ?? { config: {} }, { before: () => original })];
  expect(back[0]).toMatchObject({ kind: "write", path: paths[0], content: edited });
});

test("where the stack file asks for another address, the preference for the old one is no finding", async () => {
  const moved = { ...want, uris: ["https://mirror.example/repo"] };
  const seen = await aptSource.observe(hostWith(written()), moved, want);
  expect(seen?.config).toEqual(want);
  expect(seen?.findings).toEqual([]);
  // A run that broke off between the two files.
  const [sources = "", ...rest] = written();
  const between = hostWith([sources.replace("vendor.example", "mirror.example"), ...rest]);
  expect((await aptSource.observe(between, moved, want))?.findings).toMatchObject([{ path: ["preference"] }]);
});

test("nothing of apt's is written before the source has been tried", () => {
  const steps = [...aptSource.apply(want, undefined, context)].map(shown);
  const tried = steps.findIndex((text) => text.startsWith("apt-get update"));
  const first = steps.findIndex((text) => text.startsWith("write /etc/apt/"));
  expect(tried).toBeGreaterThan(-1);
  expect(first).toBeGreaterThan(tried);
});

test("a changed preference alone does not fetch anything", () => {
  const have = { config: { ...want, pin: { priority: 1, packages: ["*"] } } };
  expect([...aptSource.apply(want, have, context)].map(shown)).toEqual([
    expect.stringMatching(/^write \/etc\/apt\/preferences\.d\/vendor /),
  ]);
});

test("a binary key becomes an armored one with the checksum that RFC 4880 asks for", () => {
  // Armored by `gpg --enarmor`.
  expect(renderKey("AAEC").split("\n").slice(2, 4)).toEqual(["AAEC", "=ybVn"]);
});

test("bad input is refused in the operator's words", () => {
  expect(messages({ key: "-----BEGIN PGP PRIVATE KEY BLOCK-----" })?.join()).toContain("is a private key");
  expect(messages({ suites: ["stable"] })).toEqual([
    'components a suite needs components, a flat repository (all suites end in "/") has none',
  ]);
  expect(messages({ uris: ["vendor.example/repo"] })).toEqual([
    "uris.0 is an http://, https:// or file:// address",
  ]);
});
