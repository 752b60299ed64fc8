import { expect, test } from "vitest";
import { compare } from "#provider/converge/compare.ts";
import { masker } from "./masker.ts";
import { showChanges } from "./shown-changes.ts";

test("secrets are shown nowhere: neither at their place nor where they turn up elsewhere", () => {
  const want = { key: "hunter2-hunter2", text: "fine", list: ["a"] };
  const have = { key: "other-secret", text: "it says hunter2-hunter2", list: ["hunter2-hunter2"] };
  const shown = showChanges(compare(want, { config: have }), [["key"]], masker(want, [["key"]]));
  expect(shown).toEqual([
    { path: "key", kind: "update", want: "[secret]", have: "[secret]" },
    { path: "text", kind: "update", want: "fine", have: "it says [secret]" },
    { path: "list", kind: "update", want: ["a"], have: ["[secret]"] },
  ]);
});

test("what was applied last tells whether the stack file or the host has changed", () => {
  const last = { port: 8080, mode: "0644", both: 1, gone: "x" };
  const have = { port: 8080, mode: "0600", both: 2, gone: "x", extra: "by hand" };
  const want = { port: 8081, mode: "0644", both: 3, fresh: "y" };
  const findings = [{ path: ["boot"], text: "is upside down" }];
  const shown = showChanges(compare(want, { config: have, findings }), [], String, last);
  expect(Object.fromEntries(shown.map(({ path, origin }) => [path, origin]))).toEqual({
    port: "configuration",
    mode: "host",
    both: "host",
    gone: "configuration",
    extra: "host",
    fresh: "configuration",
    boot: undefined,
  });
  expect(showChanges(compare(want, { config: have }), [], String)[0]).not.toHaveProperty("origin");
});
