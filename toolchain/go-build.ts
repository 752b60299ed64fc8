import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.ts";
import { prepareLanguageHost } from "./language-host.ts";
import type { Progress } from "./progress.ts";

// Each has a Go module of its own beside this file: the two need versions of the SDK that do not mix.
const cli = {
  name: "pulumi",
  folder: "pulumi-cli",
  module: "github.com/pulumi/pulumi/pkg/v3",
  command: "cmd/pulumi",
};
const languageHost = {
  name: "pulumi-language-nodejs",
  folder: "pulumi-language-nodejs",
  module: "github.com/pulumi/pulumi/sdk/v3",
  command: "nodejs/cmd/pulumi-language-nodejs",
};

/** Eight minutes of one fast core; slow machines and slow module proxies get an hour. */
const limitSeconds = 3600;

/** Builds the CLI and the Node language host from their Go modules into `folder`. Needs `go` on PATH. */
export async function buildWithGo(folder: string, progress: Progress, go = "go"): Promise<void> {
  progress.say("Building the Pulumi CLI from its Go modules: some minutes, once.");
  const host = moduleOf(languageHost);
  const source = await listed(
    go,
    host,
    ["-f", "{{.Dir}}", `${languageHost.module}/${languageHost.command}`],
    progress,
  );
  const copy = prepareLanguageHost(source[0] ?? "", host.cwd);
  try {
    await build(go, { ...host, cwd: copy }, ".", join(folder, languageHost.name), progress);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  await build(go, moduleOf(cli), `${cli.module}/${cli.command}`, join(folder, cli.name), progress);
}

/** A Go module to build in. */
interface Module {
  /** Of the program, for progress and errors. */
  readonly name: string;
  readonly cwd: string;
  readonly version: string;
}

function moduleOf({ name, folder, module }: typeof cli): Module {
  const cwd = join(import.meta.dirname, folder);
  return { name, cwd, version: requiredVersion(readFileSync(join(cwd, "go.mod"), "utf8"), module) };
}

async function runGo(
  go: string,
  { name, cwd }: Module,
  args: readonly string[],
  onLine: (line: string) => void,
) {
  // No cgo: no C compiler needed, and one result on every machine.
  const env = { ...process.env, GOWORK: "off", CGO_ENABLED: "0" };
  try {
    await runChild(go, args, { cwd, env, timeoutSeconds: limitSeconds, onLine });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("Building it is not possible: there is no `go` on PATH.", { cause: error });
    }
    throw new Error(`Building ${name} with go failed: ${(error as Error).message}`, { cause: error });
  }
}

/** Lines of `go list`, which also downloads what is missing. */
async function listed(
  go: string,
  module: Module,
  args: readonly string[],
  progress: Progress,
): Promise<string[]> {
  const lines: string[] = [];
  await runGo(go, module, ["list", "-mod=readonly", ...args], (line) => {
    if (line.startsWith("go: ")) progress.now(`${module.name}: ${line.slice("go: ".length)}`);
    else lines.push(line);
  });
  return lines;
}

async function build(
  go: string,
  module: Module,
  path: string,
  output: string,
  progress: Progress,
): Promise<void> {
  const { name, version } = module;
  const packages = await listed(go, module, ["-deps", path], progress);
  const ldflags = `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${version}`;
  let compiled = 0;
  progress.now(`${name}: compiling`);
  // -v names each package as it is compiled; those in Go's build cache are not named.
  const flags = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", output];
  await runGo(go, module, ["build", ...flags, path], (line) => {
    compiled += 1;
    progress.now(`${name}: compiled ${compiled} of ${packages.length} packages, now ${line}`);
  });
}

/** The version of `module` that a go.mod asks for. */
export function requiredVersion(goMod: string, module: string): string {
  const requirements = goMod.split("\n").map((line) => line.trim().replace(/^require /, ""));
  const version = requirements.find((line) => line.startsWith(`${module} v`))?.split(" ")[1];
  if (version === undefined) throw new Error(`go.mod requires no ${module}`);
  return version;
}
