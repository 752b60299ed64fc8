import { statSync } from "node:fs";
import { join } from "node:path";
import type { LabHost } from "#lab/host.ts";
import { type Lab, startLab } from "#lab/lab.ts";
import { local } from "#lab/local.ts";
import { inventoryEntry } from "#tests/support/stack-config.ts";
import { createWorkspace, type Workspace } from "#tests/support/workspace.ts";
import { sshArguments } from "./bare-ssh.ts";
import { well } from "./fixture.ts";
import { type Case, interleaved, type Measured, seconds } from "./measure.ts";
import { peakMemory, provider } from "./processes.ts";

const firstPort = 2200;

/** What was measured with one number of hosts. */
export interface Grown {
  readonly hosts: number;
  readonly resources: number;
  readonly measured: readonly Measured[];
  /** Seconds until one changed file had been written on every host, by how the state is kept meanwhile. */
  readonly changes: Readonly<Record<string, number>>;
  /** Largest resident memory of the provider during `up --refresh`. */
  readonly providerBytes: number;
  readonly stateBytes: number;
}

/** How the file backend can be told to keep the state during an `up`. */
const ways: Readonly<Record<string, Record<string, string>>> = {
  compressed: { PULUMI_DIY_BACKEND_GZIP: "true" },
  "as it is": {},
  "written at the end only": { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" },
};

/**
 * What a simulated host has to itself; systemd, dpkg and the rest belong to the one machine on which all of
 * them are.
 */
const own = ["/etc/bench", "/run/gpu-hosts", "/var/lib/gpu-hosts"];

const sshd = `[Service]
ExecStart=/usr/sbin/sshd -D -e -p %i -o PidFile=none -o UsePAM=no
TemporaryFileSystem=${own.join(" ")}
TasksMax=infinity
`;

/**
 * Starts the sshd of each simulated host; each sees folders of its own where gpu-hosts keeps what is one per
 * machine.
 */
async function simulate(host: LabHost, count: number): Promise<void> {
  await host.exec(`mkdir -p ${own.join(" ")} && cat > /etc/systemd/system/simulated@.service`, {
    input: sshd,
  });
  const units = Array.from({ length: count }, (_, i) => `simulated@${firstPort + i + 1}.service`);
  await host.exec(`systemctl daemon-reload && systemctl start ${units.join(" ")}`, { timeoutSeconds: 120 });
}

const inventory = (host: LabHost, count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `h${String(i + 1).padStart(3, "0")}`,
      inventoryEntry(host, { port: firstPort + i + 1 }),
    ]),
  );

async function measure(
  workspace: Workspace,
  host: LabHost,
  hosts: number,
  rounds: number,
  say: (line: string) => void,
): Promise<Grown> {
  const all = Array.from({ length: hosts }, (_, i) => i + 1);
  const upNow = ["up", "--yes", "--skip-preview", "--stack", "growth"];
  const cases: Case[] = [
    { name: "ssh to every host: true", run: () => Promise.all(all.map((nth) => login(host, nth))) },
    { name: "node scripts/drift.ts", run: () => well(workspace.script("drift", "growth")) },
    { name: "pulumi up --skip-preview", run: () => well(workspace.pulumi(...upNow, "--expect-no-changes")) },
    {
      name: "node scripts/up.ts --refresh",
      run: () => well(workspace.script("up", "growth", "--yes", "--refresh")),
    },
  ];
  const measured = await interleaved(cases, rounds, (line) => say(`${hosts} hosts: ${line}`));
  const { bytes } = await peakMemory(provider, () =>
    well(workspace.script("up", "growth", "--yes", "--refresh")),
  );
  const state = join(workspace.folder, "state/.pulumi/stacks/gpu-hosts/growth.json");
  const stateBytes = statSync(state).size;
  const changes: Record<string, number> = {};
  for (const [way, env] of Object.entries(ways)) {
    await configure(workspace, host, hosts, `${hosts} ${way}`);
    const args = ["--non-interactive", ...upNow, "--parallel", "64"];
    changes[way] = await seconds(() => well(workspace.start("pulumi", args, env).ended));
    say(`${hosts} hosts: one change on each, state ${way}: ${changes[way].toFixed(1)} s`);
  }
  return { hosts, resources: hosts * 25, measured, changes, providerBytes: bytes, stateBytes };
}

const configure = (workspace: Workspace, host: LabHost, hosts: number, generation: string) =>
  workspace.configure("growth", { "gpuhost:hosts": inventory(host, hosts), "bench:generation": generation });

/** A few at a time: the one systemd of all simulated hosts reads its units anew for each new service. */
async function bringAbout(workspace: Workspace): Promise<void> {
  const env = { ...ways["written at the end only"], PULUMI_PARALLEL: "16" };
  const args = ["--non-interactive", "up", "--yes", "--skip-preview", "--stack", "growth"];
  const up = () => workspace.start("pulumi", args, env).ended;
  // What did not come about in time is brought about by the next one, as always.
  const { exitCode } = await up();
  if (exitCode !== 0) await well(up());
}

/** One login and the end of it: what a look at a host cannot take less than. */
const login = ({ address, identityFile }: LabHost, nth: number) =>
  local("ssh", [...sshArguments({ address, identityFile, port: firstPort + nth }), "true"]);

/**
 * The same stack with more and more hosts, which are many sshd on one machine, beside this process and the
 * engine.
 */
export async function timeGrowth(
  sizes: readonly number[],
  rounds: number,
  say: (line: string) => void,
): Promise<readonly Grown[]> {
  const lab: Lab = await startLab({ hosts: [{ name: "crowd", release: "bookworm" }], progress: say });
  const workspace = createWorkspace("tests/bench/growth-program.ts");
  try {
    const host = lab.host("crowd");
    await simulate(host, Math.max(...sizes));
    const grown: Grown[] = [];
    for (const hosts of sizes) {
      say(`bringing ${hosts * 25} resources about on ${hosts} hosts`);
      await configure(workspace, host, hosts, "0");
      await bringAbout(workspace);
      grown.push(await measure(workspace, host, hosts, rounds, say));
    }
    return grown;
  } finally {
    workspace.remove();
    await lab.stop();
  }
}
