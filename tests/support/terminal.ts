import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import type { Ended } from "./workspace.ts";

/** A program in a terminal of its own, and somebody who reads and types there. */
export interface Terminal {
  /** Types a line and presses Enter. */
  type(line: string): void;
  /** Presses keys, such as `\u0003` for Ctrl-C. */
  press(keys: string): void;
  /**
   * Waits until the pattern is in what was shown since the last call; rejects when the program ends, or the
   * time is over, before it is. Resolves with all that was shown up to the end of it.
   */
  seen(pattern: RegExp, seconds?: number): Promise<string>;
  readonly ended: Promise<Ended>;
  /** Ends the program if it still runs. */
  close(): Promise<void>;
}

const escapeForm = "\u001b";

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Starts a shell command in a pseudo terminal, which script(1) makes. */
export function openTerminal(command: string, { cwd, env }: Place): Terminal {
  const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
    cwd,
    env: { ...env, TERM: "xterm", SHELL: "/bin/sh" },
    stdio: "pipe",
  });
  let output = "";
  let half = "";
  let from = 0;
  const watchers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      const all = half + text;
      // A control sequence may come in two pieces.
      half = /\p{Cc}[^\p{Cc}a-zA-Z]*$/u.exec(all)?.[0] ?? "";
      if (half.length > 20 || !half.startsWith(escapeForm)) half = "";
      const whole = all.slice(0, all.length - half.length);
      output += stripVTControlCharacters(whole).replaceAll("\r\n", "\n");
      for (const watch of watchers) watch();
    });
  }
  child.stdin.on("error", () => undefined);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ exitCode: code ?? 1, output }));
  });
  return {
    ended,
    type: (line) => void child.stdin.write(`${line}\r`),
    press: (keys) => void child.stdin.write(keys),
    seen(pattern, seconds = 120) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const why = (what: string) => new Error(`${what} without ${pattern}:\n${output.slice(from)}`);
      const timer = setTimeout(() => reject(why(`${seconds} s went by`)), seconds * 1000);
      const watch = () => {
        const found = pattern.exec(output.slice(from));
        if (!found) return;
        const end = from + found.index + found[0].length;
        resolve(output.slice(from, end));
        from = end;
      };
      watchers.add(watch);
      watch();
      void ended.then(() => reject(why("it ended")));
      return promise.finally(() => {
        clearTimeout(timer);
        watchers.delete(watch);
      });
    },
    async close() {
      // Its terminal hangs up with it, which ends the program.
      child.kill("SIGKILL");
      await ended;
    },
  };
}
