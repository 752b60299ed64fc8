import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { parse, stringify } from "yaml";
import { pulumiFolder } from "#toolchain/install.ts";

const root = join(import.meta.dirname, "../..");

/** How a command ended, and what it said. */
export interface Ended {
  readonly exitCode: number;
  /** stdout and stderr as they came. */
  readonly output: string;
}

/** A command under way. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when the output so far matches; rejects when the command ends before it does. */
  seen(pattern: RegExp): Promise<void>;
  /** Ends it and all it has started at one blow, in whatever groups they are, as a loss of power would. */
  kill(): Promise<void>;
  readonly ended: Promise<Ended>;
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Nothing of the caller's: the CLI looks at many variables, and a test must not depend on who runs it. The
 * home stays, since the CLI itself lies there.
 */
function environment(folder: string): NodeJS.ProcessEnv {
  const path = [pulumiFolder(), join(root, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter);
  return {
    PATH: path,
    HOME: homedir(),
    LANG: "C.UTF-8",
    PULUMI_HOME: process.env.PULUMI_HOME,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, "passphrase"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_NODEJS_TYPESCRIPT: "false",
    NODE_COMPILE_CACHE: join(root, "node_modules/.cache/gpu-hosts/compiled"),
    GPU_HOSTS_PROJECT: folder,
  };
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), parentOf(Number(name))] as const);
  const found = [pid];
  // What is appended is looked at as well.
  for (const parent of found) found.push(...parents.filter(([, its]) => its === parent).map(([it]) => it));
  return found;
}

function parentOf(pid: number): number | undefined {
  try {
    // The name, in brackets, may hold anything.
    return Number(/\) \S (\d+) [^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * A Pulumi project of its own, inside the checkout so that program and provider are found, with state, stacks
 * and secrets.
 * @param program in place of ours, from the root of the checkout
 */
export function createWorkspace(program?: string) {
  const folder = mkdtempSync(join(root, ".lab-"));
  const env = environment(folder);
  mkdirSync(join(folder, "state"));
  writeFileSync(join(folder, "passphrase"), randomBytes(24).toString("base64url"), { mode: 0o600 });
  const project = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"));
  project.main = join("..", program ?? project.main);
  for (const provider of project.plugins.providers) provider.path = join("..", provider.path);
  project.backend = { url: `file://${join(folder, "state")}` };
  writeFileSync(join(folder, "Pulumi.yaml"), stringify(project));

  function start(program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    const watchers = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        for (const watch of watchers) watch();
      });
    }
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ exitCode: code ?? 1, output }));
    });
    return {
      child,
      ended,
      async kill() {
        const all = child.pid === undefined ? [] : family(child.pid);
        // Stopped first, so that none sees another's end.
        for (const name of ["SIGSTOP", "SIGKILL"] as const) for (const pid of all) signal(pid, name);
        await ended;
      },
      seen: (pattern) =>
        new Promise((resolve, reject) => {
          const watch = () => {
            if (!pattern.test(output)) return;
            watchers.delete(watch);
            resolve();
          };
          watchers.add(watch);
          watch();
          void ended.then(() => reject(new Error(`ended without ${pattern}:\n${output}`)));
        }),
    };
  }

  const stacks = new Set<string>();
  const pulumiArgs = (args: readonly string[]) => ["--non-interactive", "--color", "never", ...args];

  return {
    folder,
    env,
    start,
    /** `pulumi` as an operator types it, any exit code. */
    pulumi: (...args: string[]) => start("pulumi", pulumiArgs(args)).ended,
    startPulumi: (...args: string[]) => start("pulumi", pulumiArgs(args)),
    /** One of our scripts, by name. */
    script: (name: string, ...args: string[]) =>
      start(process.execPath, [join(root, "scripts", `${name}.ts`), ...args]).ended,
    startScript: (name: string, ...args: string[]) =>
      start(process.execPath, [join(root, "scripts", `${name}.ts`), ...args]),
    /** Writes the stack file whole; secrets are given as `{ secret: "…" }` and set through the CLI. */
    async configure(stack: string, config: Config): Promise<void> {
      const secrets: [string, string][] = [];
      const plain = (value: unknown, path: string): unknown => {
        if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
        const entries = Object.entries(value).flatMap(([key, inner]) => {
          const at = path ? `${path}.${key}` : key;
          if (typeof inner === "object" && inner !== null && "secret" in inner) {
            secrets.push([at, String(inner.secret)]);
            return [];
          }
          return [[key, plain(inner, at)] as const];
        });
        return Object.fromEntries(entries);
      };
      const file = join(folder, `Pulumi.${stack}.yaml`);
      writeFileSync(file, stringify({ config: plain(config, "") }));
      if (!stacks.has(stack)) {
        await start("pulumi", pulumiArgs(["stack", "init", stack, "--no-select"])).ended;
        stacks.add(stack);
      }
      for (const [path, value] of secrets) {
        const args = pulumiArgs(["config", "set", "--stack", stack, "--secret", "--path", path, value]);
        const { exitCode, output } = await start("pulumi", args).ended;
        if (exitCode !== 0) throw new Error(output);
      }
    },
    /** Has the engine take a provider of the tests, by its folder from the root of the checkout. */
    plugin(name: string, path: string): void {
      project.plugins.providers.push({ name, path: join("..", path) });
      writeFileSync(join(folder, "Pulumi.yaml"), stringify(project));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A project folder of a test, with a backend of its own. */
export type Workspace = ReturnType<typeof createWorkspace>;
