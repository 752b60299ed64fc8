import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Hub, memberToken, startHub, strangerToken } from "./hub.ts";

const large = Buffer.alloc(200_000, "model ");
let hub: Hub;
beforeEach(async () => {
  hub = await startHub("127.0.0.1");
});
afterEach(async () => await hub.close());

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${hub.url}${path}`, { headers });
const resolve = (file: string, revision = "main") => `/lab/m/resolve/${revision}/${file}`;

test("lists a repository at a revision as Hugging Face does, hashes included", async () => {
  const sha = hub.publish("lab/m", { "model.gguf": large, "config.json": "{}" });
  const tree = await (await get(`/api/models/lab/m/tree/${sha}`)).json();
  const sha256 = createHash("sha256").update(large).digest("hex");
  expect(tree).toMatchObject([
    { type: "file", path: "model.gguf", size: 200_000, lfs: { oid: sha256, size: 200_000 } },
    // `printf '{}' | git hash-object --stdin`
    { type: "file", path: "config.json", size: 2, oid: "9e26dfeeb6e641a33dae4961196235bdb965b21b" },
  ]);
  expect(await (await get("/api/models/lab/m/revision/main")).json()).toMatchObject({ sha });
});

test("tells size and hash of each file beside its name where they are asked for", async () => {
  hub.publish("lab/m", { "model.gguf": large, "config.json": "{}" });
  const sha256 = createHash("sha256").update(large).digest("hex");
  type Info = { siblings: { rfilename: string; size?: number }[] };
  const info = async (query: string) =>
    (await (await get(`/api/models/lab/m/revision/main${query}`)).json()) as Info;
  const plain = await info("");
  expect(plain).toMatchObject({ siblings: [{ rfilename: "model.gguf" }, { rfilename: "config.json" }] });
  expect(plain.siblings[0]).not.toHaveProperty("size");
  const { siblings } = await info("?blobs=true");
  expect(siblings).toMatchObject([
    { rfilename: "model.gguf", size: 200_000, lfs: { sha256, size: 200_000 } },
    { rfilename: "config.json", size: 2, blobId: "9e26dfeeb6e641a33dae4961196235bdb965b21b" },
  ]);
  expect(siblings[1]).not.toHaveProperty("lfs");
});

test("a new commit moves main and leaves the earlier revision as it was", async () => {
  const first = hub.publish("lab/m", { "config.json": "1" });
  const second = hub.publish("lab/m", { "config.json": "2" });
  expect(await (await get(resolve("config.json", first))).text()).toBe("1");
  const main = await get(resolve("config.json"));
  expect(await main.text()).toBe("2");
  expect(main.headers.get("x-repo-commit")).toBe(second);
});

test("a large file is fetched over a redirect that names its hash and size", async () => {
  hub.publish("lab/m", { "model.gguf": large });
  const redirect = await fetch(`${hub.url}${resolve("model.gguf")}`, { redirect: "manual", method: "HEAD" });
  expect([redirect.status, redirect.headers.get("x-linked-size")]).toEqual([302, "200000"]);
  expect(Buffer.from(await (await get(resolve("model.gguf"))).arrayBuffer()).equals(large)).toBe(true);
});

test("ranges: the rest of a file, its end, and beyond its end", async () => {
  hub.publish("lab/m", { "model.gguf": large });
  const rest = await get(resolve("model.gguf"), { range: "bytes=199990-" });
  expect([rest.status, rest.headers.get("content-range")]).toEqual([206, "bytes 199990-199999/200000"]);
  expect(await rest.text()).toBe(large.toString("utf8", 199_990));
  expect((await (await get(resolve("model.gguf"), { range: "bytes=-3" })).text()).length).toBe(3);
  expect((await get(resolve("model.gguf"), { range: "bytes=200000-" })).status).toBe(416);
});

test("refusals carry the hub's codes", async () => {
  hub.publish("lab/m", { "config.json": "{}" }, { gated: true });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const code = async (path: string, headers = {}) => {
    const { status, headers: answered } = await get(path, headers);
    return `${status} ${answered.get("x-error-code")}`;
  };
  expect(await code(resolve("config.json"))).toBe("401 GatedRepo");
  expect(await code(resolve("config.json"), bearer(strangerToken))).toBe("403 GatedRepo");
  expect(await code(resolve("config.json"), bearer("hf_unknown"))).toBe("401 null");
  expect(await code(resolve("config.json"), bearer(memberToken))).toBe("200 null");
  expect(await code(resolve("nothing"), bearer(memberToken))).toBe("404 EntryNotFound");
  expect(await code(resolve("config.json", "0".repeat(40)), bearer(memberToken))).toBe(
    "404 RevisionNotFound",
  );
  expect(await code("/api/models/lab/none/tree/main", bearer(memberToken))).toBe("404 RepoNotFound");
});

test("faults strike the next downloads only", async () => {
  hub.publish("lab/m", { "model.gguf": large });
  hub.fail({ file: "model.gguf", kind: "cut", afterBytes: 1000 });
  await expect(get(resolve("model.gguf")).then((answer) => answer.arrayBuffer())).rejects.toThrow();
  hub.fail({ file: "model.gguf", kind: "corrupt" });
  const wrong = Buffer.from(await (await get(resolve("model.gguf"))).arrayBuffer());
  expect([wrong.byteLength, wrong.equals(large)]).toEqual([200_000, false]);
  hub.fail({ file: "model.gguf", kind: "refuse", times: 2 });
  expect((await get(resolve("model.gguf"))).status).toBe(503);
  expect((await get(resolve("model.gguf"))).status).toBe(503);
  const right = Buffer.from(await (await get(resolve("model.gguf"))).arrayBuffer());
  expect(right.equals(large)).toBe(true);
  expect(hub.requests.filter(({ status }) => status === 503).length).toBe(2);
});
