import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nftTable } from "./nftables.ts";

const { parse } = nftTable("inet", "gpu_hosts");
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

test("a table's chains come with their rules in order", () => {
  const chains = parse({ exitCode: 0, stdout: fixture("nft-table.debian12.txt"), stderr: "" });
  expect(chains).toMatchObject([{ name: "input", hook: "input", prio: 0, policy: "accept" }]);
  expect(chains?.[0]?.rules.map(({ comment }) => comment)).toEqual([
    undefined,
    undefined,
    "chat",
    "chat",
    "chat",
    undefined,
    "rpc",
    undefined,
  ]);
});

test("no such table and no nft at all are absence, a refusal is none", () => {
  const stderr = fixture("nft-absent.debian12.txt");
  expect(parse({ exitCode: 1, stdout: "", stderr })).toBeUndefined();
  expect(parse({ exitCode: 127, stdout: "", stderr: "sh: 1: nft: not found\n" })).toBeUndefined();
  const refused = fixture("nft-refused.debian12.txt");
  expect(() => parse({ exitCode: 1, stdout: "", stderr: refused })).toThrow("Operation not permitted");
});
