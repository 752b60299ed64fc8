import { expect, test } from "vitest";
import { planText, readPlan } from "./plan.ts";

const urn = (name: string) => `urn:pulumi:lab::gpu-hosts::gpuhost:index:Files::${name}`;
const line = (entry: object) =>
  `${JSON.stringify({ host: "rack1", type: "Files", operation: "create", ...entry })}\n`;

test("shows what would happen host by host, with deletions that only the engine knows", () => {
  const lines =
    line({
      urn: urn("base"),
      adopted: ["file /etc/motd"],
      changes: [
        { path: "packages.curl", kind: "add", want: "any" },
        { path: "packages.jq", kind: "finding", text: "is half-configured" },
      ],
      warnings: ["port 8080 is taken by nginx"],
      steps: ["apt-get install curl", "systemctl restart x"],
    }) + line({ host: "alpha", urn: urn("late"), operation: "update", note: "not compared: no answer" });
  const steps = [
    { op: "same", urn: urn("kept"), host: "rack1" },
    { op: "delete", urn: urn("old"), host: "rack1" },
    { op: "delete", urn: "urn:pulumi:lab::gpu-hosts::other:index:Thing::x", host: undefined },
  ];
  expect(planText(readPlan(lines, steps))).toBe(`alpha
  ~ late (Files): update
      note: not compared: no answer

rack1
  + base (Files): create
      warning: port 8080 is taken by nginx
      takes over what is there: file /etc/motd
      packages.curl is missing, should be any
      packages.jq: is half-configured
      $ apt-get install curl
      $ systemctl restart x
  - old (Files): delete

1 to create, 1 to update, 1 to delete
`);
});

test("a host that did not answer takes one line, however many resources it has", () => {
  const silent = (host: string) =>
    ["a", "b", "c"]
      .map((name) =>
        line({ host, urn: urn(`${host}-${name}`), note: `not compared: ${host} is silent\n  is it on?` }),
      )
      .join("");
  expect(planText(readPlan(silent("h1") + silent("h2"), []))).toBe(
    `h1 (3 resources) not compared: h1 is silent; is it on?
h2 (3 resources) not compared: h2 is silent; is it on?

6 to create, 0 to update, 0 to delete
`,
  );
});

test("a resource that was asked about twice counts once, as it was last", () => {
  const plan = readPlan(line({ urn: urn("a"), note: "first" }) + line({ urn: urn("a"), note: "second" }), []);
  expect(plan).toMatchObject([{ note: "second" }]);
});

test("a difference in a text is shown with its signs, and a legend says what they mean", () => {
  const changes = [{ path: "unit", kind: "update", want: "a\nnew\n", have: "a\nold\n" }];
  const text = planText(readPlan(line({ urn: urn("a"), operation: "update", changes }), []));
  expect(text).toContain(
    "      unit: the text differs\n        from line 2:\n        - old\n        + new\n",
  );
  expect(text).toContain(
    "\n\nIn a text that differs, - is what is there and + what is wanted.\n\n0 to create",
  );
  expect(planText(readPlan(line({ urn: urn("a") }), []))).not.toContain("In a text that differs");
});

test("what the stack file changes and what the host has otherwise are told apart", () => {
  const changes = [
    { path: "port", kind: "update", want: 8081, have: 8080, origin: "configuration" },
    { path: "mode", kind: "update", want: "0644", have: "0600", origin: "host" },
  ];
  const text = planText(readPlan(line({ urn: urn("a"), operation: "update", changes }), []));
  expect(text).toContain("      port changes from 8080 to 8081\n      mode is 0600, should be 0644\n");
});

test("what a host says steers no terminal and begins no line of its own", () => {
  const evil = "\u001b]0;owned\u0007x\u001b[2J\u202e\u009b31m\nrack9\n  + forged (Files): create";
  const changes = [
    { path: evil, kind: "finding", text: evil },
    { path: "t", kind: "update", want: "a\n", have: `${evil}\n` },
    { path: "u", kind: "delete", have: evil },
  ];
  const entry = { urn: urn("a"), adopted: [evil], changes, warnings: [evil], steps: [evil], note: evil };
  const text = planText(readPlan(line(entry), []));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  expect(text).not.toMatch(/^(rack9| {2}[+] forged)/m);
});

test("nothing to do", () => {
  expect(planText(readPlan("", []))).toContain("Nothing would change on any host.\n");
  expect(planText([])).toContain("planned for with --refresh");
  expect(planText([], { refreshed: true })).not.toContain("--refresh");
});
