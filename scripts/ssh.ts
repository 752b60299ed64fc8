import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { loginsTo } from "#checks/login.ts";
import { ensurePulumi } from "#toolchain/install.ts";
import { sshArguments } from "./host/ssh-arguments.ts";
import { inventoryOf, readConfiguration } from "./stack/stack.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";

// Everything behind the host is the command's, also what looks like an option.
const [words, command] = [process.argv.slice(2, 4), process.argv.slice(4)];

await main(
  "ssh",
  async ({ words: [stack = "", name = ""] }) => {
    if (command[0] === "--") command.shift();
    await ensurePulumi();
    const { hosts, credentials } = inventoryOf(await readConfiguration(stack));
    const entry = hosts[name];
    if (entry === undefined)
      throw new UsageError(
        `${stack} has no host ${name}; it has: ${Object.keys(hosts).join(", ") || "none"}`,
      );
    const logins = await loginsTo(name, { hosts, credentials });

    // Only its owner can look into a folder that mkdtemp makes.
    const folder = mkdtempSync(join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), "gpu-hosts-ssh-"));
    try {
      const { args, files } = sshArguments(entry, logins, folder);
      for (const [path, content] of Object.entries(files)) writeFileSync(path, content, { mode: 0o600 });
      return await ssh([...args, ...command]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  words,
);

/**
 * Runs the operator's ssh in the operator's terminal; its exit code, or 128 and the number of the signal that
 * ended it.
 */
function ssh(args: readonly string[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn("ssh", args, { stdio: "inherit" });
  // On a terminal ssh gets them as well, and ends when it is done with them.
  const forward = (signal: NodeJS.Signals) => void (process.stdin.isTTY || child.kill(signal));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
  for (const signal of signals) process.on(signal, forward);
  child.on("error", (error: NodeJS.ErrnoException) => {
    const missing =
      "there is no ssh here: install it (Debian, Ubuntu: apt-get install openssh-client; Windows: the OpenSSH client of the optional features)";
    reject(error.code === "ENOENT" ? new Error(missing, { cause: error }) : error);
  });
  child.on("exit", (code, signal) => {
    for (const name of signals) process.off(name, forward);
    resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
  return promise;
}
