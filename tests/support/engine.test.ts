import { expect, test } from "vitest";
import { type ProviderError, startEngine, urnOf } from "./engine.ts";

/** What a refresh of a host that does not answer leaves of a resource with a file of so many bytes. */
async function unhealthy(bytes: number): Promise<ProviderError> {
  const hosts = { rack1: { platform: "linux", address: "127.0.0.1", port: 1, sshConfig: false } };
  const engine = await startEngine({ hosts: JSON.stringify(hosts) });
  const inputs = { host: "rack1", files: { "/etc/x": { content: "x".repeat(bytes) } } };
  try {
    const read = engine.read(urnOf("Files", "it"), { id: "rack1:x", inputs, properties: inputs });
    return await read.then(
      () => expect.fail("should have failed"),
      (error: ProviderError) => error,
    );
  } finally {
    await engine.stop();
  }
}

test("the tests' engine reads what a failed resource has reached", async () => {
  const { initFailed } = await unhealthy(1000);
  expect(initFailed?.inputs.files).toEqual({ "/etc/x": { content: "x".repeat(1000) } });
});

test("where that is more than it can read, it says so and what to do", async () => {
  expect((await unhealthy(100_000)).message).toMatch(/none above 64 kB.*large-state\.test\.ts/);
});
