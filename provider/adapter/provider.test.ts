import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { definitions } from "#provider/resources/index.ts";
import { startEngine } from "#tests/support/engine.ts";

test("the provider's schema has the release of package.json and every resource", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const engine = await startEngine({ hosts: "{}" });
  try {
    const schema = await engine.schema();
    expect(schema).toMatchObject({ name: "gpuhost", version });
    const types = [...definitions.keys()].map((type) => `gpuhost:index:${type}`);
    expect(Object.keys(schema.resources)).toEqual(types);
  } finally {
    await engine.stop();
  }
});
