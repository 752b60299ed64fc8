import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createGroup } from "./cgroup.ts";

/**
 * Starts a program in cgroups of its own and in a session of its own, so that neither Ctrl-C nor the end of
 * this process reaches it. Its output goes to a file. See supervise.sh for reboot and SIGTERM.
 */
export function supervise(
  group: string,
  program: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  // Made here and not there: a supervisor whose lab is removed at this moment then finds no group and ends.
  const folders = createGroup(group);
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(join(import.meta.dirname, "supervise.sh"), [folders.join(":"), ...program], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { PATH: process.env.PATH, LC_ALL: "C", ...env },
  });
  closeSync(log);
  child.unref();
  return child;
}
