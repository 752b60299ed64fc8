import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** How a command is run on this machine. */
export interface LocalOptions {
  readonly input?: string | Uint8Array;
  /** Seconds until the command is killed. @default 60 */
  readonly timeoutSeconds?: number;
  /** Called with each line of stdout and stderr. */
  readonly onLine?: (line: string) => void;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** An open file the command inherits as descriptor 3, such as a lock it must go on holding if we die. */
  readonly inherit?: number;
}

/** What came back from a command on this machine. */
export interface LocalResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of this machine and resolves for any exit code; a signal or the time limit gives -1 and says
 * so in stderr.
 */
export function tryLocal(file: string, args: readonly string[], options: LocalOptions = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<LocalResult>();
  const seconds = options.timeoutSeconds ?? 60;
  const child = spawn(file, args, {
    stdio: ["pipe", "pipe", "pipe", options.inherit ?? "ignore"],
    env: { ...process.env, LC_ALL: "C", ...options.env },
    timeout: seconds * 1000,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  let partial = "";
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      if (!options.onLine) return;
      const lines = (partial + text).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) options.onLine(line);
    });
  }
  // A program that ends without reading its input is no error of its own; its exit code tells.
  child.stdin?.on("error", () => undefined).end(options.input ?? "");
  child.on("error", reject);
  child.on("close", (code, signal) => {
    if (code !== null) return resolve({ exitCode: code, ...output });
    // The time limit is the only one that we send.
    const why = child.killed ? `not finished within ${seconds} s` : `ended by ${signal}`;
    resolve({ exitCode: -1, stdout: output.stdout, stderr: `${output.stderr}\n${why}` });
  });
  return promise;
}

/**
 * Like {@link tryLocal}, but anything except exit code 0 is an error with the command and its last lines.
 * Resolves with stdout.
 */
export async function local(
  file: string,
  args: readonly string[],
  options: LocalOptions = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await tryLocal(file, args, options);
  if (exitCode === 0) return stdout;
  const last = `${stdout}\n${stderr}`.trim().split("\n").slice(-12).join("\n");
  throw new Error(`${[file, ...args].join(" ")} ended with ${exitCode}:\n${last}`);
}

/** A lock between processes of this machine, held until `release` or the death of its holders. */
export interface Lock {
  /** Pass as `inherit` to a child that must keep others out even if this process dies. */
  readonly fd: number;
  release(): void;
}

/**
 * Takes `flock` on a file. The child locks the open file description that both share, so the lock stays with
 * us after it ends and the kernel drops it when we die, by whatever signal. Undefined if `wait` is false and
 * another holds it.
 */
export async function lock(path: string, wait: boolean): Promise<Lock | undefined> {
  const fd = openSync(path, "a", 0o600);
  const args = wait ? ["--exclusive", "3"] : ["--exclusive", "--nonblock", "3"];
  const { exitCode } = await tryLocal("flock", args, { inherit: fd, timeoutSeconds: 3600 });
  if (exitCode === 0) return { fd, release: () => closeSync(fd) };
  closeSync(fd);
  return undefined;
}
