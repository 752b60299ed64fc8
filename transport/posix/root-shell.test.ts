import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import { afterAll, expect, test } from "vitest";
import { type ShellCommand, sh } from "../command.ts";
import type { RawFinished } from "../dialect.ts";
import { HostError } from "../errors.ts";
import { Worker } from "../worker.ts";
import { posixShell } from "./dialect.ts";
import { rootOpener } from "./root-shell.ts";

// A stand-in for sudo, so that the test needs no second user on this machine. Its texts, its exit codes and
// the way it reads the password (byte by byte, so that nothing behind it is lost) are those of sudo 1.9.13p3
// on Debian 12.
const sudo = (
  allows: "all" | "with password" | "nobody" | "on a terminal" | "nothing, expired",
) => `#!/bin/bash
if [ "${allows}" = "on a terminal" ]; then
  (: >/dev/tty) 2>/dev/null || { echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; }
fi
while [ "\${1#-}" != "$1" ]; do
  case $1 in -n) n=1;; -S) s=1;; -p) prompt=$2; shift;; esac
  shift
done
case "${allows}" in
  all | "on a terminal") exec "$@";;
  "nothing, expired") echo 'sudo: Account or password is expired, reset your password and try again' >&2; exit 1;;
esac
[ "$n" ] && { echo 'sudo: a password is required' >&2; exit 1; }
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r password || { echo 'sudo: no password was provided' >&2; exit 1; }
  if [ "$password" = hunter2 ]; then
    [ "${allows}" = "with password" ] && exec "$@"
    echo 'ops is not in the sudoers file.' >&2; exit 1
  fi
  echo 'Sorry, try again.' >&2
done
exit 1
`;

const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-login-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs what sshd would run, with the sudo above or none. */
function execWith(allows?: Parameters<typeof sudo>[0]) {
  const bin = mkdtempSync(join(folder, "bin-"));
  if (allows) {
    writeFileSync(join(bin, "sudo"), sudo(allows));
    chmodSync(join(bin, "sudo"), 0o755);
  }
  return async (command: string): Promise<ClientChannel> => {
    const child = spawn("setsid", ["-w", "/bin/sh", "-c", command], {
      env: { PATH: `${bin}:/usr/bin:/bin` },
    });
    child.stdin.on("error", () => undefined);
    // As of ssh2, it closes only once both streams have come to their end.
    const channel = new Duplex({
      autoDestroy: false,
      read: () => undefined,
      write: (chunk, _encoding, done) => void child.stdin.write(chunk, () => done()),
      final: (done) => void child.stdin.end(() => done()),
    });
    child.stdout.on("data", (chunk) => channel.push(chunk)).once("end", () => channel.push(null));
    child.once("close", () => channel.destroy());
    return Object.assign(channel, {
      stderr: child.stderr,
      close: () => child.kill(),
    }) as unknown as ClientChannel;
  };
}

const host = { name: "gpu1", target: "ops@10.0.0.11" };

async function answer(allows: Parameters<typeof sudo>[0], sudoPassword?: string): Promise<string> {
  const channel = await rootOpener({ host, user: "ops", sudoPassword }).open(execWith(allows));
  const said = new Promise<string>((resolve) =>
    channel.once("data", (chunk: Buffer) => resolve(String(chunk))),
  );
  channel.write("echo I am a shell\nexit\n");
  return said;
}

async function refusal(allows?: Parameters<typeof sudo>[0], sudoPassword?: string): Promise<HostError> {
  const opened = rootOpener({ host, user: "ops", sudoPassword }).open(execWith(allows));
  const error = await opened.catch((reason: unknown) => reason);
  if (!(error instanceof HostError)) throw new Error("it gave a shell");
  return error;
}

test("sudo that asks for nothing gives a shell", async () => {
  expect(await answer("all")).toBe("I am a shell\n");
});

test("a password that is not asked for does not reach the shell as a command", async () => {
  expect(await answer("all", "hunter2")).toBe("I am a shell\n");
});

test("a password is given when asked for", async () => {
  expect(await answer("with password", "hunter2")).toBe("I am a shell\n");
});

test("sudo that asks for a password nobody set names the credential", async () => {
  const error = await refusal("with password");
  expect(error.kind).toBe("refused");
  expect(error.message).toContain("sudo asks ops for a password\n  sudo: a password is required");
  expect(error).toMatchObject({
    hint: expect.stringContaining("credentials.gpu1.sudoPassword"),
    missing: "sudoPassword",
  });
});

test("a wrong password is tried once, named, and not shown", async () => {
  const error = await refusal("with password", "wrong");
  expect(error).toMatchObject({ kind: "auth", hint: "correct credentials.gpu1.sudoPassword" });
  expect(error.message).not.toContain("wrong\n");
});

test("sudo that wants a terminal gets one, for each further shell at once", async () => {
  const opener = rootOpener({ host, user: "ops" });
  const exec = execWith("on a terminal");
  const commands: string[] = [];
  for (const _ of [1, 2]) {
    const channel = await opener.open((command) => {
      commands.push(command);
      return exec(command);
    });
    channel.write("exit\n");
  }
  expect(commands.map((command) => command.includes("script -qec"))).toEqual([false, true, true]);
});

test("who read the login's nonce in an argument list cannot forge the end of a command", async () => {
  const commands: string[] = [];
  const exec = execWith("all");
  const channel = await rootOpener({ host, user: "ops" }).open((command) => {
    commands.push(command);
    return exec(command);
  });
  const traffic = { bytesOut: 0, heardAt: 0 };
  const worker = new Worker(host, channel, posixShell, traffic, () => undefined);
  const nonce =
    /echo (\w+)""(\w+);/
      .exec(commands[0] ?? "")
      ?.slice(1)
      .join("") ?? "";
  expect(nonce).toHaveLength(32);
  const run = (command: ShellCommand) =>
    new Promise<RawFinished>((resolve, reject) => {
      void worker.perform([{ command, timeoutSeconds: 10, resolve, reject }]);
    });
  // What root prints of an attacker's text.
  const forged = await run(sh`echo ${`${nonce} 0`}; echo ${nonce} >&2; exit 7`);
  expect(forged).toMatchObject({ exitCode: 7, stdout: Buffer.from(`${nonce} 0\n`) });
  expect((await run(sh`echo mine`)).stdout.toString()).toBe("mine\n");
  worker.close();
});

test("an expired password is told as that", async () => {
  const error = await refusal("nothing, expired", "hunter2");
  expect(error.message).toContain("the password of ops has expired");
  expect(error.hint).toContain("passwd ops");
});

test("a user who may not use sudo, and a machine without it, say so", async () => {
  expect((await refusal("nobody", "hunter2")).message).toContain("ops is not in the sudoers file.");
  const error = await refusal();
  expect(error.message).toMatch(/sudo gave ops no root shell\n.*sudo.*No such file/);
  expect(error.hint).toContain("install sudo");
});
