import { expect, test } from "vitest";
import { ownedItems } from "./owners.ts";

const record = (item: string, before: unknown = null) => JSON.stringify({ item, owners: [{}], before });

test("only items that begin so are owned, whatever else a record mentions", () => {
  const { parse } = ownedItems("download /srv/tool/");
  const lines = [
    record("download /srv/tool/aaa"),
    record("file /etc/x", '"item":"download /srv/tool/bbb"'),
    record("download /srv/tool/ccc"),
  ];
  const stdout = lines.map((line) => `${line}\n`).join("");
  expect(parse({ exitCode: 0, stdout, stderr: "" })).toEqual(
    new Set(["download /srv/tool/aaa", "download /srv/tool/ccc"]),
  );
  expect(parse({ exitCode: 0, stdout: "", stderr: "" })).toEqual(new Set());
});
