import { createServer } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hub, memberToken, startHub, strangerToken } from "#lab/hub.ts";
import { readRepository } from "./repository.ts";

let hub: Hub;
let revision: string;
beforeAll(async () => {
  hub = await startHub("127.0.0.1");
  revision = hub.publish("lab/m", { "m.gguf": Buffer.alloc(200_000), "config.json": "{}" });
  hub.publish("lab/gated", { "m.gguf": "x" }, { gated: true });
});
afterAll(() => hub.close());

test("files with sizes, and the hashes of large ones, at the commit of now", async () => {
  const { id, revision: found, files } = await readRepository({ endpoint: `${hub.url}/` }, "lab/m");
  expect([id, found]).toEqual(["lab/m", revision]);
  expect(files).toEqual([
    { path: "m.gguf", bytes: 200_000, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { path: "config.json", bytes: 2, sha256: undefined },
  ]);
});

test.each([
  [
    "no such repository",
    "lab/none",
    undefined,
    /does not show lab\/none to everyone: there is none of that name/,
  ],
  [
    "no such repository, with a token",
    "lab/none",
    memberToken,
    /has no repository lab\/none: check the name/,
  ],
  ["a gated one without a token", "lab/gated", undefined, /accept its licence.*add -- --token/],
  ["a gated one that the account may not read", "lab/gated", strangerToken, /accept the model's licence/],
  ["a token that is none", "lab/m", "hf_wrong", /does not know this token/],
])("%s", async (_what, id, token, why) => {
  await expect(readRepository({ endpoint: hub.url, token }, id)).rejects.toThrow(why);
});

test("a hub that is silent, not there, or none at all", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const endpoint = `http://127.0.0.1:${port}`;
  await expect(readRepository({ endpoint, timeoutMs: 200 }, "lab/m")).rejects.toThrow(
    /no answer for 0\.2 s\. Is this machine online\? .*gpu-hosts:mirrors\.hub/,
  );
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
  await expect(readRepository({ endpoint }, "lab/m")).rejects.toThrow(/ECONNREFUSED/);
  await expect(
    readRepository({ endpoint: `${hub.url}/lab/m/resolve/main/config.json?` }, "x/y"),
  ).rejects.toThrow(/is this a model hub/);
});
