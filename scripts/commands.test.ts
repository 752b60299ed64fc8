import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Command, commands, usageOf } from "./terminal/commands.ts";

let backend: string;

beforeAll(() => {
  backend = mkdtempSync(join(tmpdir(), "commands-"));
  mkdirSync(join(backend, "state"));
});
afterAll(() => rmSync(backend, { recursive: true, force: true }));

const command = (name: string, ...args: string[]) => commandWith({}, name, ...args);

function commandWith(env: Record<string, string | undefined>, name: string, ...args: string[]) {
  const kept = Object.entries(process.env).filter(([key]) => !/^(npm_|PULUMI_(?!HOME$)|DEBUG$)/.test(key));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, `${name}.ts`), ...args],
    {
      encoding: "utf8",
      timeout: 55_000,
      env: {
        ...Object.fromEntries(kept),
        PULUMI_BACKEND_URL: `file://${backend}/state`,
        PULUMI_CONFIG_PASSPHRASE: "commands",
        // The CLI itself stays where it is.
        PULUMI_HOME: process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"),
        ...env,
      },
    },
  );
  return { status, stdout, stderr };
}

test.each(["up", "plan", "drift", "verify"])(
  "%s without a stack says how it is called, and takes none by itself",
  (name) => {
    const { status, stdout, stderr } = command(name);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(`name the stack\n\nusage: npm run ${name} STACK`);
    expect(stderr).toContain("There is no stack yet");
    expect(stderr).not.toContain("    at ");
  },
);

test("a stack that is not there", () => {
  const { status, stderr } = command("drift", "nowhere");
  expect(status).toBe(1);
  expect(stderr).toContain("no stack named 'nowhere' found");
  expect(stderr).toContain("usage:");
});

test("an option that is none: the nearest one is named", () => {
  const { status, stderr } = command("up", "home", "--skip-previw");
  expect(status).toBe(1);
  expect(stderr).toContain("Unknown option '--skip-previw'; did you mean --skip-preview?");
});

test("a verb that is none: the nearest one is named", () => {
  const { status, stderr } = command("host", "ad", "x");
  expect(status).toBe(1);
  expect(stderr).toContain("ad is not add or refresh; did you mean add?");
  expect(stderr).toContain("usage: npm run host refresh STACK [HOST]");
});

test.each(["plan", "up", "verify", "drift", "logs", "ssh"])(
  "%s without a backend says how to choose one",
  (name) => {
    const words = { logs: ["home", "chat"], ssh: ["home", "rack1"] }[name] ?? ["home"];
    const { status, stderr } = commandWith({ HOME: backend, PULUMI_BACKEND_URL: undefined }, name, ...words);
    expect(status).toBe(1);
    expect(stderr).toContain("No backend is chosen");
    expect(stderr).toContain("export PULUMI_BACKEND_URL=file://$HOME/gpu-hosts-state");
    expect(stderr).not.toContain("PULUMI_ACCESS_TOKEN");
  },
);

const files = new Set(
  readdirSync(import.meta.dirname).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts")),
);
const fileOf = (name: string) => `${name.replace(/ .*/, "").replace(":", "-")}.ts`;

test("every command of scripts/ is in the table, and every entry of the table is a command", () => {
  expect(new Set(Object.keys(commands).map(fileOf))).toEqual(files);
});

test.each(Object.values<Command>(commands))("$name --help needs nothing and starts nothing", (entry) => {
  const [verb, sub] = entry.name.split(" ");
  const { status, stdout, stderr } = commandWith(
    { HOME: "/nonexistent", PULUMI_BACKEND_URL: undefined },
    fileOf(verb ?? "").replace(".ts", ""),
    ...(sub === undefined ? [] : [sub]),
    "--help",
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toContain(usageOf(entry));
  for (const option of Object.keys(entry.options)) expect(stdout).toContain(`--${option}`);
  expect(stdout).toMatch(/exit code: .+\nexample: +npm run /);
});

describe("README's table of commands", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const rows = readme.split("\n").filter((line) => line.startsWith("| `npm run "));
  const rowOf = ({ name }: Command) => rows.find((row) => row.includes(`\`npm run ${name}`)) ?? "";

  test.each(Object.values<Command>(commands))("$name is there, with its words and options", (entry) => {
    const row = rowOf(entry);
    expect(row).toContain(usageOf({ ...entry, options: {} }));
    const missing = Object.keys(entry.options).filter(
      (option) =>
        !row.includes(`--${option}`) && !(row.includes("report options") && readme.includes(`\`--${option}`)),
    );
    expect(missing).toEqual([]);
    for (const code of Object.keys(entry.exitCodes).filter((code) => /^\d$/.test(code)))
      expect(row).toContain(code);
  });
});
