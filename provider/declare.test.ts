import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { declare } from "#provider/declare.ts";
import { declared } from "#tests/support/declared.ts";
import { files } from "./resources/files/files.ts";

/** Modules of Pulumi's SDK that a Node process has loaded after importing one of our files. */
function sdkModules(file: string): string[] {
  const program = `
    import { createRequire } from "node:module";
    await import(${JSON.stringify(file)});
    console.log(Object.keys(createRequire(${JSON.stringify(file)}).cache).join("\\n"));
    process.exit(0);`;
  const loaded = execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
  });
  return loaded.split("\n").filter((path) => /@pulumi\/pulumi\/(?!proto\/)/.test(path));
}

test.each(["../checks/drift.ts", "../checks/verify.ts", "./adapter/provider.ts"])(
  "%s does without Pulumi's SDK: it needs the definitions only",
  (file) => {
    expect(sdkModules(new URL(file, import.meta.url).pathname)).toEqual([]);
  },
  60_000,
);

test("a class declares a resource of the definition's type with its options", async () => {
  const [one] = await declared(() =>
    declare(files, "rack1-files", { host: "rack1", files: { "/etc/x": { content: "" } } }),
  );
  expect(one).toMatchObject({ type: "gpuhost:index:Files", name: "rack1-files", inputs: { host: "rack1" } });
});
