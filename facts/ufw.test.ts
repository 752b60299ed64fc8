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

test("a ufw that fails is not one that is switched off", () => {
  const stderr = fixture("ufw-failing.debian12.txt");
  expect(() => ufw.parse({ exitCode: 1, stdout: "", stderr })).toThrow("determine iptables version");
  expect(() => parse("Status: unknown\n-- 4\n-- 6\n")).toThrow("whether it is active: Status: unknown");
});

// Not recorded: the lengths that ufw's own reader takes (ufw 0.36, backend_iptables.py, _read_rules).
test.each([
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8", true],
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 OpenSSH -", true],
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in", true],
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 OpenSSH - in comment=6f6c64", true],
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 out", false],
  ["allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 OpenSSH - out_eth0", false],
])("a rule of any age: %s", (rule, plain) => {
  expect(parse(`Status: active\n-- 4\n### tuple ### ${rule}\n-- 6\n`).rules).toMatchObject([
    { action: "allow", port: "22", from: "10.0.0.0/8", plain },
  ]);
});

test.each([
  "allow tcp 22 0.0.0.0/0 any",
  "allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in in in in",
  "open tcp 22 0.0.0.0/0 any 10.0.0.0/8",
])("a rule of another form is not guessed at: %s", (rule) => {
  expect(() => parse(`Status: active\n-- 4\n### tuple ### ${rule}\n-- 6\n`)).toThrow(
    "not the line of a rule of ufw",
  );
});
