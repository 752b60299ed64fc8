import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir } from "#lab/base.ts";
import type { LabHost } from "#lab/host.ts";
import { local } from "#lab/local.ts";
import { readWithSsh } from "../bare-ssh.ts";
import { desired } from "../desired.ts";
import { type Fixture, type Stack, startFixture, well } from "../fixture.ts";
import { type Case, interleaved, type Measured } from "../measure.ts";

const here = import.meta.dirname;
const venv = join(cacheDir, "..", "bench-peers");
const program = (name: string) => join(venv, "bin", name);

/** Times of other tools for the same state. */
export interface PeerFigures {
  readonly measured: readonly Measured[];
  readonly versions: Readonly<Record<string, string>>;
}

const requirements = readFileSync(join(here, "requirements.txt"), "utf8");

/** The peers from PyPI in an environment of their own, hashes checked; kept between runs. */
async function install(say: (line: string) => void): Promise<void> {
  const stamp = join(venv, "requirements.txt");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === requirements) return;
  say("installing ansible-core, mitogen and pyinfra from PyPI");
  rmSync(venv, { recursive: true, force: true });
  await local("python3", ["-m", "venv", venv], { timeoutSeconds: 120 });
  const pip = ["install", "--quiet", "--require-hashes", "--requirement", join(here, "requirements.txt")];
  await local(program("pip"), pip, { timeoutSeconds: 900 });
  await cp(join(here, "requirements.txt"), stamp);
}

const versions = Object.fromEntries(
  ["ansible-core", "mitogen", "pyinfra", "paramiko"].map((name) => [
    name,
    new RegExp(`^${name}==(\\S+)`, "m").exec(requirements)?.[1] ?? "",
  ]),
);

/** A folder from which the peers run: the desired state, their descriptions of it, and their settings. */
async function prepare(fixture: Fixture): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-peers-"));
  mkdirSync(join(folder, "files"));
  for (const [path, content] of Object.entries({ ...desired.files, ...desired.units }))
    writeFileSync(join(folder, "files", path.replace("/etc/", "")), content);
  writeFileSync(join(folder, "packages"), desired.packages.map((name) => `${name}\n`).join(""));
  for (const name of ["playbook.yml", "deploy.py"]) await cp(join(here, name), join(folder, name));
  const known = join(fixture.lab.dir, "known_hosts");
  for (const stack of ["one", "four"] as const) {
    const hosts = fixture.reached(stack, 0).map(({ host }) => host);
    writeFileSync(join(folder, `${stack}.ini`), hosts.map((host) => ansibleLine(host, known)).join(""));
    writeFileSync(join(folder, `${stack}.py`), pyinfraInventory(hosts, known));
  }
  return folder;
}

const ansibleLine = ({ name, address, identityFile }: LabHost, known: string) =>
  `${name} ansible_host=${address} ansible_user=root ansible_ssh_private_key_file=${identityFile} ` +
  `ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args='-o UserKnownHostsFile=${known}'\n`;

function pyinfraInventory(hosts: readonly LabHost[], known: string): string {
  const data = ({ address, identityFile }: LabHost) => ({
    ssh_hostname: address,
    ssh_user: "root",
    ssh_key: identityFile,
    ssh_known_hosts_file: known,
    ssh_strict_host_key_checking: "yes",
  });
  return `hosts = [${hosts.map((host) => `(${JSON.stringify(host.name)}, ${JSON.stringify(data(host))})`).join(", ")}]\n`;
}

/** Runs a peer and makes sure that it changed nothing. */
async function unchanged(
  folder: string,
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
) {
  const output = await local("env", ["-C", folder, program(file), ...args], {
    env: { LC_ALL: "C.UTF-8", ...env },
    timeoutSeconds: 600,
  });
  if (/changed=[1-9]/.test(output)) throw new Error(`${file} changed something:\n${output}`);
}

function cases(fixture: Fixture, folder: string, stack: Stack): Case[] {
  const { workspace } = fixture;
  const where = stack === "one" ? "1 host" : "4 hosts";
  const ansible = (more: Record<string, string> = {}) => {
    // A control socket of its own for each run: every tool logs in anew.
    const sockets = mkdtempSync(join(folder, "cp-"));
    const env = {
      ANSIBLE_PIPELINING: "true",
      ANSIBLE_FORKS: "50",
      ANSIBLE_SSH_CONTROL_PATH_DIR: sockets,
      ...more,
    };
    return unchanged(folder, "ansible-playbook", ["-i", `${stack}.ini`, "playbook.yml"], env);
  };
  const mitogen = join(venv, "lib", pythonFolder(), "site-packages/ansible_mitogen/plugins/strategy");
  return [
    {
      name: `${where}: bare ssh`,
      run: () => Promise.all(fixture.reached(stack, 0).map(({ host }) => readWithSsh(host))),
    },
    { name: `${where}: gpu-hosts drift`, run: () => well(workspace.script("drift", stack)) },
    {
      name: `${where}: gpu-hosts up --refresh`,
      run: () => well(workspace.script("up", stack, "--yes", "--refresh")),
    },
    {
      name: `${where}: gpu-hosts up --refresh --skip-preview`,
      run: () => well(workspace.script("up", stack, "--yes", "--refresh", "--skip-preview")),
    },
    {
      name: `${where}: pyinfra`,
      run: () => unchanged(folder, "pyinfra", ["-y", `${stack}.py`, "deploy.py"]),
    },
    {
      name: `${where}: Ansible with Mitogen`,
      run: () => ansible({ ANSIBLE_STRATEGY: "mitogen_linear", ANSIBLE_STRATEGY_PLUGINS: mitogen }),
    },
    { name: `${where}: Ansible`, run: () => ansible() },
  ];
}

function pythonFolder(): string {
  const [, version] =
    /^version(?:_info)? = (\d+\.\d+)/m.exec(readFileSync(join(venv, "pyvenv.cfg"), "utf8")) ?? [];
  return `python${version}`;
}

/** A run that changes nothing, of the same desired state on the same hosts, with each tool. */
export async function timePeers(rounds: number, say: (line: string) => void): Promise<PeerFigures> {
  await install(say);
  const fixture = await startFixture([0], say);
  try {
    const folder = await prepare(fixture);
    // Ansible needs Python on the hosts; the others do not.
    const python =
      "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3 python3-apt";
    for (const host of fixture.lab.hosts) await host.exec(python, { timeoutSeconds: 600 });
    const all = (["one", "four"] as const).flatMap((stack) => cases(fixture, folder, stack));
    const measured = await interleaved(all, rounds, say);
    rmSync(folder, { recursive: true, force: true });
    return { measured, versions };
  } finally {
    await fixture.stop();
  }
}
