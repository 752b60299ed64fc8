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
      details: ['a|b is "2",\u001b[31m should be "1"'],
    }),
    result("rack2", "base", unreachable),
    result("rack2", "chat-worker", unreachable),
  ],
};

test("text: a line each, the reason of a whole host once", () => {
  expect(asText(report)).toBe(`rack1
  ✓ base         Files  in sync
  ✗ chat-unit    Files  drifted
      a|b is "2", should be "1"

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
      <failure message="drifted">a|b is &quot;2&quot;, should be &quot;1&quot;</failure>
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

test("markdown: only what is not well, details as code", () => {
  expect(asMarkdown(report)).toBe(`## drift lab

1 in sync, 1 drifted, 2 could not look.

| host | what | result |
|---|---|---|
| <code>rack1</code> | <code>chat-unit</code> | <code>drifted</code> |
| <code>rack2</code> | <code>base</code> | <code>could not look</code> |
| <code>rack2</code> | <code>chat-worker</code> | <code>could not look</code> |

\`\`\`text
rack1
  ✗ chat-unit    Files  drifted
      a|b is "2", should be "1"

rack2  ? could not look (2 resources): rack2: no <answer>
\`\`\`
`);
  const well = { ...report, results: [result("rack1", "base", {})] };
  expect(asMarkdown(well)).toBe("## drift lab\n\n1 in sync.\n");
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not be there
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const live =
  "@team #1 [x](http://e) ![i](http://e/i.png) <img src=x> www.evil.com a@evil.com *b* | `c` ~~~ <!--";
const evil = `\u001b]0;t\u0007\u001b[2J\u202e\u2066\u009b31m${live}\n  ✓ base  Files  in sync\n\`\`\`\`\n# out\n~~~\n\t</code>`;
const hostile: Report = {
  command: "verify",
  stack: "lab",
  results: [
    result("rack1", "base", { verdict: "bad", label: "failed", details: ["one", evil] }),
    result("rack1", evil, { verdict: "unknown", label: "could not look", details: [evil] }),
  ],
};

test("what a host says steers nothing in any form, and writes no line of its own", () => {
  for (const write of [asText, asJunit, asMarkdown, asJson]) expect(write(hostile)).not.toMatch(steering);
  for (const write of [asText, asMarkdown]) expect(write(hostile)).toContain(`      ${live}\n        ✓ base`);
  expect(asText(hostile)).not.toMatch(/^ {2}✓/m);
});

test("json: what steers a terminal is escaped, and nothing is lost", () => {
  expect(asJson(hostile)).toContain("\\u009b31m");
  expect(asJson(hostile)).toContain("\\u202e\\u2066");
  expect(JSON.parse(asJson(hostile)).results).toEqual(JSON.parse(JSON.stringify(hostile.results)));
});

test("markdown: a host can neither leave the block of code nor put anything live into the table", () => {
  const lines = asMarkdown(hostile).split("\n");
  const open = lines.findIndex((line) => line.startsWith("`"));
  const fence = "`".repeat(5);
  expect(lines[open]).toBe(`${fence}text`);
  // GFM 4.5: up to three blanks, at least as many backticks, nothing behind them.
  const closing = lines.findIndex((line, i) => i > open && /^ {0,3}`{5,}\s*$/.test(line));
  expect(closing).toBe(lines.length - 2);
  const [row = ""] = lines.filter((line) => line.includes("team"));
  expect(row.replaceAll(/<\/?code>/g, "")).toMatch(
    /^\| [\p{L}\p{N}&#; -]* \| [\p{L}\p{N}&#; -]* \| [^|]* \|$/u,
  );
  expect(row).toContain("&#64;&#8203;team &#35;1 &#91;x&#93;&#40;http&#58;");
});

test("junit: what a host says is text, and XML without characters that it does not allow", () => {
  const xml = asJunit({
    ...hostile,
    results: [result("r", 'x"/><a', { verdict: "bad", details: ["]]>\ufffe\ud800"] })],
  });
  expect(xml).toContain('name="x&quot;/&gt;&lt;a"');
  expect(xml).toContain("]]&gt;\ufffd</failure>");
});

test("a text that differs is shown with its signs, and a legend says what they mean", () => {
  const details = ["unit: the text differs", "  from line 1:", "  - is", "  + should"];
  const change = { path: "unit", kind: "update", want: "should\n", have: "is\n" } as const;
  const drifted = { ...report, results: [result("r", "n", { verdict: "bad", details, changes: [change] })] };
  for (const write of [asText, asMarkdown])
    expect(write(drifted)).toMatch(
      / {6} {2}- is\n {8}\+ should\n\nIn a text that differs, - is what is there/,
    );
  expect(asText(report)).not.toContain("In a text");
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
