import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pulumiFolder } from "#toolchain/install.ts";
import { PulumiError, pulumiEnvironment } from "./pulumi.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "pulumi-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Puts a program in the CLI's place. */
function pretend(text: string): void {
  mkdirSync(pulumiFolder(home), { recursive: true });
  writeFileSync(join(pulumiFolder(home), "pulumi"), `#!${process.execPath}\n${text}`, { mode: 0o755 });
}

/**
 * A process in a group of its own that runs `up` without a terminal. On a machine with much to do a second
 * may pass between two signals that are sent at once, so what counts as an echo there is given.
 */
function start(echo = 60_000) {
  const module = join(import.meta.dirname, "pulumi.ts");
  const text = `import { pulumiInTerminal } from ${JSON.stringify(module)};
    process.exitCode = await pulumiInTerminal({ folder: ${JSON.stringify(home)}, env: {} }, ["up"], ${echo});`;
  return spawn(process.execPath, ["--input-type=module", "-e", text], {
    cwd: join(import.meta.dirname, "../.."),
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PULUMI_HOME: home },
  });
}

test("Ctrl-C sent to the whole group, and once more by npm, reaches the CLI once; its exit code is ours", async () => {
  pretend(`let seen = 0;
    process.on("SIGINT", () => {
      seen += 1;
      // Long enough for a second one to come.
      if (seen === 1) setTimeout(() => process.exit(40 + seen), 1500);
    });
    setInterval(() => undefined, 1000);
    console.log("started");`);
  const child = start();
  await once(child.stdout, "data");
  process.kill(-(child.pid ?? 0), "SIGINT");
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(41);
});

test("a second Ctrl-C after that time reaches the CLI as well", async () => {
  pretend(`let seen = 0;
    process.on("SIGINT", () => {
      seen += 1;
      if (seen === 2) process.exit(40 + seen);
      console.log("seen");
    });
    setInterval(() => undefined, 1000);
    console.log("started");`);
  const child = start(0);
  await once(child.stdout, "data");
  child.kill("SIGINT");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(42);
});

test("a CLI that was killed gives the exit code a shell would give", async () => {
  pretend(`process.kill(process.pid, "SIGKILL");`);
  const [code] = await once(start(), "exit");
  expect(code).toBe(137);
});

test("what the operator has set wins, except where the CLI would then not be ours", () => {
  const env = pulumiEnvironment(
    { folder: "/x", env: { A: "1" } },
    { PULUMI_PARALLEL: "4", PATH: "/usr/bin" },
  );
  expect(env).toMatchObject({ PULUMI_PARALLEL: "4", A: "1" });
  expect(env.PATH?.split(delimiter)).toEqual([
    pulumiFolder(),
    expect.stringMatching(/node_modules.\.bin$/),
    "/usr/bin",
  ]);
  expect(pulumiEnvironment({ folder: "/x", env: {} }, {}).PULUMI_PARALLEL).toBe("64");
});

test("an error of the CLI shows what it said", () => {
  const error = new PulumiError(["stack", "export"], 6, "error: no stack named 'x' found\n");
  expect(error.message).toBe("pulumi stack export failed (exit code 6): no stack named 'x' found");
  expect(error.noSuchStack).toBe(true);
});
