import { expect, test } from "vitest";
import { asJson, asJunit, asMarkdown, asText } from "./report.ts";
import { exitCode, type Report, type Result } from "./result.ts";

const result = (host: string, name: string, rest: Partial<Result>): Result => ({
  host,
  name,
  type: "Files",
  verdict: "good",
  label: "in sync",
  details: [],
  ...rest,
});
const unreachable: Partial<Result> = {
  verdict: "unknown",
  label: "could not look",
  details: ["rack2: no <answer>"],
};
const report: Report = {
  command: "drift",
  stack: "lab",
  results: [
    result("rack1", "base", {}),
    result("rack1", "chat-unit", {
      verdict: "bad",
      label: "drifted",
      details: ['a|b: wanted "1",\u001b[31m is "2"'],
    }),
    result("rack2", "base", unreachable),
    result("rack2", "chat-worker", unreachable),
  ],
};

test("text: a line each, the reason of a whole host once", () => {
  expect(asText(report)).toBe(`rack1
  ✓ base         Files  in sync
  ✗ chat-unit    Files  drifted
      a|b: wanted "1",[31m is "2"

rack2  ? could not look (2 resources): rack2: no <answer>

1 in sync, 1 drifted, 2 could not look
`);
});

test("json: everything, and the summary", () => {
  expect(JSON.parse(asJson(report))).toEqual({
    ...JSON.parse(JSON.stringify(report)),
    summary: "1 in sync, 1 drifted, 2 could not look",
  });
});

test("junit: drift is a failure, could not look an error, and the XML is well formed", () => {
  expect(asJunit(report)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="drift lab" tests="4" failures="1" errors="2">
  <testsuite name="rack1" tests="2" failures="1" errors="0">
    <testcase name="base" classname="rack1.Files"/>
    <testcase name="chat-unit" classname="rack1.Files">
      <failure message="drifted">a|b: wanted &quot;1&quot;,[31m is &quot;2&quot;</failure>
    </testcase>
  </testsuite>
  <testsuite name="rack2" tests="2" failures="0" errors="2">
    <testcase name="base" classname="rack2.Files">
      <error message="could not look">rack2: no &lt;answer&gt;</error>
    </testcase>
    <testcase name="chat-worker" classname="rack2.Files">
      <error message="could not look">rack2: no &lt;answer&gt;</error>
    </testcase>
  </testsuite>
</testsuites>
`);
});

test("markdown: only what is not well", () => {
  expect(asMarkdown(report)).toContain("| rack2 | base | could not look | rack2: no &lt;answer> |");
  expect(asMarkdown(report)).toContain("a\\|b");
  expect(asMarkdown(report)).not.toContain("| rack1 | base |");
});

test.each([
  ["drift", ["good"], 0],
  ["drift", ["good", "bad"], 2],
  ["drift", ["unknown", "bad"], 3],
  ["drift", [], 0],
  ["verify", ["good"], 0],
  ["verify", ["good", "bad"], 1],
  ["verify", ["unknown"], 1],
] as const)("%s of %j ends with %d", (command, verdicts, code) => {
  const results = verdicts.map((verdict) => result("h", "n", { verdict }));
  expect(exitCode({ command, stack: "s", results })).toBe(code);
});
