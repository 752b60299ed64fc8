import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

let backend: string;

beforeAll(() => {
  backend = mkdtempSync(join(tmpdir(), "commands-"));
  mkdirSync(join(backend, "state"));
});
afterAll(() => rmSync(backend, { recursive: true, force: true }));

function command(name: string, ...args: string[]) {
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
    expect(stderr).toContain(`name the stack\n\nusage: npm run ${name} <stack>`);
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

test("drift does not pretend to look deeper", () => {
  expect(command("drift", "lab", "--deep")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("not there yet"),
  });
});
