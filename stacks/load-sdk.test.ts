import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

// In a process of its own: this one has the SDK loaded already.
const inNode = (code: string): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: import.meta.dirname,
      encoding: "utf8",
    }),
  );

const start = `
import { createRequire } from "node:module";
import "#stacks/load-sdk.ts";
const loaded = () => Object.values(createRequire(import.meta.url).cache).map(({ filename }) => filename);
const pulumi = createRequire(import.meta.url)("@pulumi/pulumi");
`;

test("the SDK comes without what our programs never use", () => {
  const files = inNode(`${start} console.log(JSON.stringify(loaded()))`) as string[];
  expect(files.some((file) => file.includes("@pulumi/pulumi/resource.js"))).toBe(true);
  // The entries that stand in for the two; nothing that these would load.
  expect(files.filter((file) => file.includes("/@npmcli/arborist/"))).toHaveLength(1);
  expect(files.filter((file) => file.includes("/pacote/"))).toEqual([]);
});

test("and what it left out comes when it is asked for", () => {
  const text = inNode(`${start}
    const { text } = await pulumi.runtime.serializeFunction(() => 40 + 2);
    console.log(JSON.stringify(text))`);
  expect(text).toContain("40 + 2");
});

test("a class of the SDK is the one that every import of it has", () => {
  const same = inNode(`${start}
    const { CustomResource } = await import("@pulumi/pulumi");
    console.log(JSON.stringify(CustomResource === pulumi.CustomResource))`);
  expect(same).toBe(true);
});
