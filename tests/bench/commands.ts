import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, startLab } from "#lab/lab.ts";
import { createWorkspace } from "#tests/support/workspace.ts";
import { readWithSsh } from "./bare-ssh.ts";
import { type Fixture, inventory, root, type Stack, startFixture, well } from "./fixture.ts";
import { type Case, interleaved, type Measured, seconds } from "./measure.ts";
import { peakMemory, provider } from "./processes.ts";
import { scan } from "./scan.ts";

/** Milliseconds that a line is made longer by, in each direction: 50 ms a round trip. */
const farMs = 25;

/** Times of whole commands, and the round trips of a scan. */
export interface CommandFigures {
  readonly measured: readonly Measured[];
  /** Round trips of one scan of 50 items. */
  readonly roundTrips: number;
  /** Largest resident memory of the provider during an `up --refresh` of one host. */
  readonly providerBytes: number;
  /** Seconds for a lab of one host, from nothing (disk, network, boot) to its first login. */
  readonly boots: readonly number[];
}

async function ended(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, { cwd, env, stdio: "ignore" });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}`);
}

const entries = (fixture: Fixture, stack: Stack, delayMs: number) =>
  inventory(fixture.reached(stack, delayMs));

/** What is timed on the hosts of one stack, over a line of one length. */
function hostCases(fixture: Fixture, stack: Stack, delayMs: number): Case[] {
  const { workspace } = fixture;
  const where = `${stack === "one" ? "1 host" : "4 hosts"}, ${delayMs * 2} ms`;
  const near = { prepare: () => fixture.configure(stack, delayMs) };
  return [
    {
      name: `${where}: bare ssh`,
      async run() {
        const to = fixture.reached(stack, delayMs);
        await Promise.all(
          to.map(({ host, address, port }) =>
            readWithSsh({ address, port, identityFile: host.identityFile }),
          ),
        );
      },
    },
    { name: `${where}: scan alone`, run: () => scan(entries(fixture, stack, delayMs)) },
    {
      ...near,
      name: `${where}: node scripts/drift.ts`,
      run: () => well(workspace.script("drift", stack)),
    },
    {
      ...near,
      name: `${where}: npm run drift`,
      run: () => well(workspace.start("npm", ["--prefix", root, "run", "drift", "--", stack]).ended),
    },
    {
      ...near,
      name: `${where}: node scripts/up.ts --refresh`,
      run: () => well(workspace.script("up", stack, "--yes", "--refresh")),
    },
    {
      ...near,
      name: `${where}: node scripts/up.ts --refresh --skip-preview`,
      run: () => well(workspace.script("up", stack, "--yes", "--refresh", "--skip-preview")),
    },
    {
      ...near,
      name: `${where}: pulumi up --skip-preview`,
      run: () =>
        well(workspace.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", stack)),
    },
    {
      ...near,
      name: `${where}: pulumi preview`,
      run: () => well(workspace.pulumi("preview", "--stack", stack)),
    },
  ];
}

/** Whole commands and the scan in them, beside what nobody can do without. */
export async function timeCommands(rounds: number, say: (line: string) => void): Promise<CommandFigures> {
  const fixture = await startFixture([0, farMs], say);
  const trivial = createWorkspace("tests/bench/trivial.ts");
  const program = createWorkspace();
  try {
    const { workspace } = fixture;
    await trivial.configure("trivial", {});
    await program.configure("base", { "gpuhost:hosts": entriesWithBase(fixture) });
    await well(program.script("up", "base", "--yes"));
    writeFileSync(join(workspace.folder, "package.json"), '{"scripts":{"nothing":"true"}}');
    const alone = (name: string, file: string, ...args: string[]): Case => ({
      name: `no host: ${name}`,
      run: () => ended(file, args, workspace.folder, workspace.env),
    });
    const cases: Case[] = [
      alone("node -e 0", process.execPath, "-e", "0"),
      alone("npm run (a script that does nothing)", "npm", "run", "nothing"),
      alone("pulumi version", "pulumi", "version"),
      alone(
        "pulumi stack export --show-secrets",
        "pulumi",
        "stack",
        "export",
        "--show-secrets",
        "--stack",
        "one",
      ),
      {
        name: "no host: pulumi preview of a trivial program",
        run: () => well(trivial.pulumi("preview", "--stack", "trivial")),
      },
      {
        name: "1 host, 0 ms: pulumi preview of stacks/index.ts",
        run: () => well(program.pulumi("preview", "--stack", "base")),
      },
      ...hostCases(fixture, "one", 0),
      ...hostCases(fixture, "one", farMs),
      ...hostCases(fixture, "four", 0),
      ...hostCases(fixture, "four", farMs),
    ];
    const measured = await interleaved(cases, rounds, say);
    await fixture.configure("one", 0);
    const { bytes: providerBytes } = await peakMemory(provider, () =>
      well(workspace.script("up", "one", "--yes", "--refresh")),
    );
    const roundTrips = await scan(entries(fixture, "one", 0));
    return { measured, roundTrips, providerBytes, boots: await timeBoots(rounds) };
  } finally {
    trivial.remove();
    program.remove();
    await fixture.stop();
  }
}

/** Seconds for a lab of one host, from nothing to its first login. */
async function timeBoots(rounds: number): Promise<number[]> {
  const boots: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    let lab: Lab | undefined;
    boots.push(
      await seconds(async () => {
        lab = await startLab({ hosts: [{ name: "fresh", release: "bookworm" }] });
      }),
    );
    await lab?.stop();
  }
  return boots;
}

/**
 * The host of stack `one` once more, for the worked program: its items and those of the benchmark are
 * disjoint.
 */
function entriesWithBase(fixture: Fixture) {
  return Object.fromEntries(
    Object.entries(entries(fixture, "one", 0)).map(([name, entry]) => [name, { ...entry, base: true }]),
  );
}
