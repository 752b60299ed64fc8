import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ufw } from "./ufw.ts";

const parse = (stdout: string) => ufw.parse({ exitCode: 0, stdout, stderr: "" });
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8");

test("rules come in order, with comments, everywhere as any", () => {
  const { active, rules } = parse(fixture("ufw-active.debian12.txt"));
  expect(active).toBe(true);
  expect(rules.slice(1, 3)).toEqual([
    {
      action: "allow",
      protocol: "tcp",
      port: "8080",
      to: "any",
      from: "10.0.0.0/24",
      plain: true,
      family: 4,
      comment: "gpu-hosts tcp/8080 chat",
    },
    {
      action: "deny",
      protocol: "tcp",
      port: "8080",
      to: "any",
      from: "any",
      plain: true,
      family: 4,
      comment: "gpu-hosts tcp/8080",
    },
  ]);
  expect(rules.filter(({ family }) => family === 6).map(({ from }) => from)).toContain("fd00::/64");
});

test("a rule on one interface or for one source port is not plain", () => {
  const { rules } = parse(fixture("ufw-special.debian12.txt"));
  expect(rules.map(({ action, plain }) => `${action} ${plain}`)).toEqual([
    "allow false",
    "allow false",
    "limit true",
    "route:allow false",
  ]);
});

test("ufw that is switched off keeps its rules, a machine without ufw has none", () => {
  expect(parse(fixture("ufw-inactive.debian12.txt"))).toMatchObject({ active: false });
  expect(parse(fixture("ufw-none.debian12.txt"))).toEqual({ active: false, rules: [] });
});
