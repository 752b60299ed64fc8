import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "./slot.ts";
import { supervise } from "./supervise.ts";

/** A program that serves the hosts of a lab from this machine. */
export interface Server {
  /** Names its log `<name>.log` in the lab's folder. */
  readonly name: string;
  /** Script in this folder; started as `node script address port args…`. */
  readonly script: string;
  readonly port: number;
  readonly args: readonly string[];
}

/**
 * Starts a server on the lab's gateway, in the lab's cgroup so that it ends with the lab, and waits until it
 * listens.
 */
export async function serve(slot: Slot, dir: string, { name, script, port, args }: Server): Promise<void> {
  const program = [process.execPath, join(import.meta.dirname, script), slot.gateway, String(port), ...args];
  const logFile = join(dir, `${name}.log`);
  // The mirror may lie behind the proxy that this machine itself uses.
  const env = { ...process.env, NODE_USE_ENV_PROXY: "1" };
  const child = supervise(`${slot.group}/${name}`, program, logFile, env);
  const deadline = Date.now() + 20_000;
  while (!(await listens(slot.gateway, port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      const text = (await readFile(logFile, "utf8")).trim().split("\n").slice(-8).join("\n");
      throw new Error(`the lab's ${name} does not listen on ${slot.gateway}:${port}; its log:\n${text}`);
    }
    await sleep(30);
  }
}

function listens(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, timeout: 500 });
  const answer = (ok: boolean) => {
    socket.destroy();
    resolve(ok);
  };
  socket.once("connect", () => answer(true));
  for (const end of ["error", "timeout"]) socket.once(end, () => answer(false));
  return promise;
}
