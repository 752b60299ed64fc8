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
      packages.curl: missing, wanted "any"
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

test("nothing to do", () => {
  expect(planText(readPlan("", []))).toContain("Nothing would change on any host.\n");
});
