import { expect, test } from "vitest";
import { parse } from "yaml";
import { withService } from "#scripts/stack/stack-file.ts";
import { parseConfiguration } from "#stacks/config.ts";
import { newServiceEntry } from "./new-service.ts";

const parts = ["big/m-00001-of-00002.gguf", "big/m-00002-of-00002.gguf"] as const;
// A hash that YAML would take for a number, were it not in quotes.
const hashes = { [parts[0]]: `1e${"0".repeat(62)}`, [parts[1]]: "b".repeat(64) };
const need = { host: "rack1", weightsMiB: 1, cacheMiB: 1, overheadMiB: 1, freeMiB: 9 };
const entry = (place: string) =>
  newServiceEntry({
    stack: "home",
    name: "big",
    repository: { id: "owner/m-GGUF", revision: `1e${"0".repeat(38)}`, files: [] },
    chosen: {
      model: {
        quantization: "Q4_K_M",
        files: parts.map((path) => ({ path, bytes: 3e9, sha256: undefined })),
        bytes: 6e9,
      },
      hosts: ["rack1", "rack2"],
      context: 8192,
      fit: { decision: "pass", text: "fits: rack1 needs 1.0 GiB", needs: [{ ...need, place }] },
    },
    hashes,
    port: 8081,
    apiKey: { secure: "v1:abc:def=" },
    token: { secure: "v1:ghi" },
    day: "2026-11-24",
  });

test("what is written is what a stack takes, every file pinned and the first part first", () => {
  const hosts = Object.fromEntries(
    ["rack1", "rack2"].map((name, i) => [name, { platform: "linux", address: `10.0.0.${i + 1}` }]),
  );
  const text = withService("config: {}\n", "big", entry("memory"));
  const written = parse(text).config["gpu-hosts:services"].big;
  const secrets = { apiKey: "only-for-tests-0123", model: { ...written.model, token: "hf_x" } };
  const { services } = parseConfiguration({ hosts, services: { big: { ...written, ...secrets } } });
  expect(services.big).toMatchObject({
    engine: "llamacpp",
    leader: "rack1",
    workers: ["rack2"],
    port: 8081,
    context: 8192,
    model: { repo: "owner/m-GGUF", files: hashes },
  });
  expect(Object.keys(written.model.files)).toEqual([...parts]);
});

test("comments say what it is and where its numbers are from", () => {
  const lines = entry("memory").lines;
  expect(lines[0]).toBe("# owner/m-GGUF in Q4_K_M, 6.0 GB, as the hub had it on 2026-11-24.");
  expect(lines).toContain("# fits: rack1 needs 1.0 GiB");
  expect(lines.join("\n")).not.toContain("build");
});

test("on GPUs the operator is told that a build for them is theirs to name", () => {
  expect(entry("GPU 0").lines).toContain("# build: { release: {} }");
});
