import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pulumiFolder } from "#toolchain/install.ts";

const root = join(import.meta.dirname, "../..");

/** Where Node keeps what it has compiled of the program, the provider and the scripts. */
export const compiled = join(root, "node_modules", ".cache", "gpu-hosts", "compiled");

/** Folder of the demo: a Pulumi project folder of its own, with stack file, state and passphrase. */
export const demoFolder = join(root, ".demo");

/** How the CLI is to be called for one stack. */
export interface Project {
  /** Folder with Pulumi.yaml and the stack file. */
  readonly folder: string;
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Where a stack lives: in the folder named by GPU_HOSTS_PROJECT, for those who keep their stacks in a
 * repository of their own; the demo's in the demo's folder; every other one in the root of the checkout.
 */
export function projectOf(stack: string | undefined): Project {
  const chosen = process.env.GPU_HOSTS_PROJECT;
  if (chosen) return { folder: chosen, env: {} };
  if (stack === undefined || !existsSync(join(demoFolder, `Pulumi.${stack}.yaml`)))
    return { folder: root, env: {} };
  return { folder: demoFolder, env: { PULUMI_CONFIG_PASSPHRASE_FILE: join(demoFolder, "passphrase") } };
}

/**
 * The environment for the CLI. What the operator has set wins.
 * - PATH: `node` of this project for the program and the provider, whatever Node the machine has.
 * - PULUMI_PARALLEL: reads of one host meet in one round trip only if the engine asks for them at the same
 *   time.
 * - PULUMI_NODEJS_TYPESCRIPT: what Pulumi.yaml says, for a language host that does not read it there
 *   (toolchain/language-host.ts).
 * - NODE_COMPILE_CACHE: saves a third of the start of program and provider.
 */
export function pulumiEnvironment(project: Project, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const path = [pulumiFolder(), join(root, "node_modules", ".bin"), env.PATH ?? env.Path ?? ""].join(
    delimiter,
  );
  return {
    PULUMI_PARALLEL: "64",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_NODEJS_TYPESCRIPT: "false",
    NODE_COMPILE_CACHE: compiled,
    ...env,
    ...project.env,
    PATH: path,
  };
}

// The CLI itself, not its npm launcher: that one would end at Ctrl-C while the CLI still finishes its work.
const program = () => join(pulumiFolder(), process.platform === "win32" ? "pulumi.exe" : "pulumi");

const noBackend = `No backend is chosen: where the state of your stacks lies. For one person, a folder on this machine:
  (umask 077; mkdir -p ~/gpu-hosts-state); export PULUMI_BACKEND_URL=file://$HOME/gpu-hosts-state
For several, a bucket (PULUMI_BACKEND_URL=s3://…, azblob://…, gs://…) or Pulumi Cloud (npx pulumi login).
README.md tells more under "State, passphrase, runner".`;

/**
 * The CLI ended with another exit code than 0; the message is what it said, or how to choose a backend where
 * none is.
 */
export class PulumiError extends Error {
  override name = "PulumiError";
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number, output: string) {
    const message = output.trim().replace(/^error: /, "");
    // Where nobody has logged in and no URL is set, Pulumi takes its cloud for granted and asks for a token.
    super(
      message.startsWith("PULUMI_ACCESS_TOKEN must be set")
        ? noBackend
        : `pulumi ${args.join(" ")} failed (exit code ${exitCode}): ${message}`,
    );
    this.exitCode = exitCode;
  }

  /** The backend knows no stack of that name. */
  get noSuchStack(): boolean {
    return this.message.includes("no stack named");
  }
}

/** Runs the CLI without a terminal and resolves with its stdout; rejects with a {@link PulumiError}. */
export async function pulumi(project: Project, args: readonly string[], stdin = ""): Promise<string> {
  const { exitCode, stdout, stderr } = await tryPulumi(project, args, stdin);
  if (exitCode !== 0) throw new PulumiError(args, exitCode, stderr || stdout);
  return stdout;
}

/** Like {@link pulumi}, but resolves for any exit code. */
export function tryPulumi(
  project: Project,
  args: readonly string[],
  stdin = "",
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    exitCode: number;
    stdout: string;
    stderr: string;
  }>();
  const all = ["--non-interactive", "--color", "never", "--cwd", project.folder, ...args];
  const child = spawn(program(), all, { env: pulumiEnvironment(project), stdio: "pipe" });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  // A command that does not read its stdin is no error; its exit code tells.
  child.stdin.on("error", () => undefined).end(stdin);
  child.on("error", reject);
  child.on("close", (code) => resolve({ exitCode: code ?? 1, ...output }));
  return promise;
}

/** Two signals would make the CLI drop its work, and npm sends a copy of each. */
const echoMilliseconds = 1_000;

/**
 * Runs the CLI in the operator's terminal and resolves with its exit code (128 and the signal's number if one
 * ended it). Ctrl-C reaches the CLI exactly once: on a terminal the kernel brings it there, elsewhere we do,
 * and the CLI then has a process group of its own. Either way this process waits for its end.
 *
 * @param echo milliseconds within which a second signal is npm's copy of the first
 */
export function pulumiInTerminal(
  project: Project,
  args: readonly string[],
  echo = echoMilliseconds,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const terminal = process.stdin.isTTY === true;
  const child = spawn(program(), ["--cwd", project.folder, ...args], {
    env: pulumiEnvironment(project),
    stdio: "inherit",
    detached: !terminal && process.platform !== "win32",
  });
  let last = Number.NEGATIVE_INFINITY;
  const forward = (signal: NodeJS.Signals) => {
    if (terminal && signal === "SIGINT") return;
    // A clock that nobody sets.
    const now = performance.now();
    const isEcho = now - last < echo;
    last = now;
    // The CLI stops in good order at SIGINT only.
    if (!isEcho) child.kill("SIGINT");
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, forward);
  const settle = () => {
    for (const signal of signals) process.off(signal, forward);
  };
  child.on("error", (error) => {
    settle();
    reject(error);
  });
  child.on("exit", (code, signal) => {
    settle();
    resolve(code ?? (signal === "SIGKILL" ? 137 : 130));
  });
  return promise;
}
