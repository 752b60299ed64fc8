import { type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface ChildOptions extends Pick<SpawnOptions, "cwd" | "env"> {
  readonly timeoutSeconds: number;
  /** Each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

/** Runs a program without a shell and without stdin; rejects with its last lines unless it exits 0. */
export function runChild(
  file: string,
  args: readonly string[],
  { timeoutSeconds, onLine, ...options }: ChildOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that the time limit also ends what the child started (installer, compiler).
    const child = spawn(file, args, {
      ...options,
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    const last: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        last.push(line);
        if (last.length > 15) last.shift();
        onLine?.(line);
      });
    const end = () => {
      try {
        if (child.pid !== undefined && process.platform !== "win32") process.kill(-child.pid, "SIGTERM");
        else child.kill();
      } catch {
        // It has just ended by itself.
      }
    };
    let ended = "";
    const endBecause = (why: string) => () => {
      ended = why;
      end();
    };
    const interrupted = endBecause("interrupted");
    process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
    const timer = setTimeout(endBecause(`took more than ${timeoutSeconds} s`), timeoutSeconds * 1000);
    const settled = () => {
      clearTimeout(timer);
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
    };
    child.on("error", (error) => {
      settled();
      reject(error);
    });
    child.on("close", (code) => {
      settled();
      if (code === 0) return resolve();
      const why = ended || `exit code ${code}`;
      reject(new Error(`${[file, ...args].join(" ")}: ${why}\n${last.join("\n")}`.trim()));
    });
  });
}
