import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { definitions } from "#provider/resources/index.ts";
import { startEngine, urnOf } from "#tests/support/engine.ts";

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

test("a line of the engine's log steers no terminal", async () => {
  const hosts = JSON.stringify({ rack1: { platform: "linux", address: "192.0.2.1", retire: "gone" } });
  const engine = await startEngine({ hosts });
  try {
    const urn = `${urnOf("Files", "it")}\u001b]0;owned\u0007\u001b[2J\u202e`;
    await engine.delete(urn, { id: "rack1:/x", inputs: {}, properties: { host: "rack1", files: {} } });
    expect(engine.logs.map(({ message }) => message)).toEqual([
      "rack1 is gone: Files it is forgotten, nothing was removed",
    ]);
  } finally {
    await engine.stop();
  }
});
