import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Release } from "./base.ts";
import { killGroup, processesIn } from "./cgroup.ts";
import { type LocalOptions, type LocalResult, local, tryLocal } from "./local.ts";
import { plugIn, spaceOf } from "./network.ts";
import { addressOf, aptPort, type Slot } from "./slot.ts";
import { supervise } from "./supervise.ts";

/** What a later process needs to know of a host. */
export interface HostFacts {
  readonly name: string;
  readonly release: Release;
  readonly address: string;
  /** Fingerprint of its SSH host key, `SHA256:…`. */
  readonly hostKey: string;
}

/** How a command is run on a lab host. */
export interface ExecOptions extends LocalOptions {
  /** `ops` may use sudo without a password. @default "root" */
  readonly user?: "root" | "ops";
}

/**
 * Makes the disk of the n-th host, an overlay over a base image, with its identity on it, and plugs in its
 * network.
 */
export async function createHost(
  slot: Slot,
  dir: string,
  index: number,
  host: { name: string; release: Release; image: string; neighbours: readonly string[] },
): Promise<HostFacts> {
  const folder = join(dir, "hosts", host.name);
  const [upper, work, root] = ["upper", "work", "root"].map((part) => join(folder, part)) as [
    string,
    string,
    string,
  ];
  for (const part of [upper, work, root]) await mkdir(part, { recursive: true });
  const layers = `lowerdir=${host.image},upperdir=${upper},workdir=${work}`;
  await local("mount", ["-t", "overlay", slot.name, "-o", layers, root]);

  const key = join(root, "etc/ssh/ssh_host_ed25519_key");
  await local("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", key]);
  await writeFile(join(root, "etc/hostname"), `${host.name}\n`);
  await writeFile(join(root, "etc/apt/apt.conf.d/91lab"), aptProxy(slot));
  await writeFile(join(root, "etc/hosts"), ["127.0.0.1 localhost", ...host.neighbours, ""].join("\n"));
  const authorized = await readFile(join(dir, "id.pub"));
  await authorize(join(root, "root"), authorized, 0);
  await authorize(join(root, "home/ops"), authorized, 1000);
  await plugIn(slot, index);

  const publicKey = await readFile(`${key}.pub`, "utf8");
  const address = addressOf(slot, index);
  await writeFile(join(dir, "known_hosts"), `${address} ${publicKey}`, { flag: "a" });
  const fingerprint = await local("ssh-keygen", ["-l", "-E", "sha256", "-f", `${key}.pub`]);
  return { name: host.name, release: host.release, address, hostKey: fingerprint.split(" ")[1] ?? "" };
}

/** apt reaches the mirror through the lab's cache, and servers of the lab itself directly. */
const aptProxy = ({ gateway }: Slot) => `Acquire::http::Proxy "http://${gateway}:${aptPort}";
Acquire::https::Proxy "http://${gateway}:${aptPort}";
Acquire::http::Proxy::${gateway} "DIRECT";
`;

async function authorize(home: string, key: Buffer, owner: number) {
  const folder = join(home, ".ssh");
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  await writeFile(join(folder, "authorized_keys"), key, { mode: 0o600 });
  for (const path of [folder, join(folder, "authorized_keys")]) await chown(path, owner, owner);
}

/** One host of a lab: a Debian with systemd as its first process, reached over SSH like any other machine. */
export class LabHost {
  readonly name: string;
  readonly release: Release;
  readonly address: string;
  readonly hostKey: string;
  readonly user = "root";
  /** Private key that root and `ops` accept. */
  readonly identityFile: string;
  readonly #slot: Slot;
  readonly #dir: string;
  readonly #index: number;

  constructor(slot: Slot, dir: string, index: number, facts: HostFacts) {
    this.name = facts.name;
    this.release = facts.release;
    this.address = facts.address;
    this.hostKey = facts.hostKey;
    this.identityFile = join(dir, "id");
    this.#slot = slot;
    this.#dir = dir;
    this.#index = index;
  }

  get #group() {
    return `${this.#slot.group}/${this.#index + 1}`;
  }

  get #console() {
    return join(this.#dir, "hosts", this.name, "console.log");
  }

  /** Switches the host on and waits until it takes logins. Does nothing to a host that runs. */
  async powerOn(): Promise<void> {
    if ((await processesIn(this.#group)).length === 0) this.#boot();
    await this.ready();
  }

  #boot() {
    const machine = spaceOf(this.#slot, this.#index);
    const nspawn = [
      "systemd-nspawn",
      "--quiet",
      "--boot",
      `--directory=${join(this.#dir, "hosts", this.name, "root")}`,
      `--machine=${machine}`,
      "--register=no",
      "--keep-unit",
      `--network-namespace-path=/run/netns/${machine}`,
      // The namespace alone does not grant it, and firewalls need it.
      "--capability=CAP_NET_ADMIN",
      ...(existsSync("/dev/net/tun") ? ["--bind=/dev/net/tun"] : []),
      "--console=pipe",
      "--link-journal=no",
      "--resolv-conf=off",
      "--timezone=off",
    ];
    supervise(this.#group, nspawn, this.#console, { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" });
  }

  /** Waits until logins are taken. Rejects after `timeoutSeconds` with the end of the host's console. */
  async ready(timeoutSeconds = 60): Promise<void> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    while (!(await this.#answers())) {
      if (Date.now() > deadline) {
        const log = (await readFile(this.#console, "utf8").catch(() => ""))
          .trim()
          .split("\n")
          .slice(-15)
          .join("\n");
        throw new Error(
          `lab host ${this.name} (${this.address}) did not take SSH logins within ${timeoutSeconds} s; its console:\n${log}`,
        );
      }
      await sleep(50);
    }
  }

  /** sshd greets, and systemd no longer turns users away because it is still starting. */
  async #answers(): Promise<boolean> {
    if (!(await greets(this.address))) return false;
    return (await this.tryExec("test ! -e /run/nologin", { timeoutSeconds: 10 })).exitCode === 0;
  }

  /** Switches the host off in good order, as `poweroff` does, and waits for it. */
  async powerOff(timeoutSeconds = 60): Promise<void> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    const [supervisor] = await processesIn(`${this.#group}/supervisor`);
    if (supervisor !== undefined) process.kill(supervisor, "SIGTERM");
    while ((await processesIn(this.#group)).length > 0) {
      if (Date.now() > deadline)
        throw new Error(`lab host ${this.name} did not switch off in ${timeoutSeconds} s`);
      await sleep(50);
    }
  }

  /**
   * Loss of power: everything on the host stops at once. {@link powerOn} brings it back with its disk as it
   * was.
   */
  async kill(): Promise<void> {
    await killGroup(this.#group);
  }

  /** Runs shell text on the host over SSH and resolves with its stdout; any exit code but 0 is an error. */
  async exec(command: string, options: ExecOptions = {}): Promise<string> {
    return await local("ssh", this.#ssh(command, options), options);
  }

  /** Like {@link exec}, but resolves for any exit code; 255 is ssh's own for a host it could not reach. */
  async tryExec(command: string, options: ExecOptions = {}): Promise<LocalResult> {
    return await tryLocal("ssh", this.#ssh(command, options), options);
  }

  #ssh(command: string, { user = this.user }: ExecOptions): string[] {
    const options = {
      BatchMode: "yes",
      ConnectTimeout: "5",
      IdentitiesOnly: "yes",
      IdentityFile: this.identityFile,
      StrictHostKeyChecking: "yes",
      UserKnownHostsFile: join(this.#dir, "known_hosts"),
    };
    const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
    return ["-F", "none", "-q", ...flags, `${user}@${this.address}`, command];
  }
}

function greets(address: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: address, port: 22, timeout: 500 });
  const answer = (ok: boolean) => {
    socket.destroy();
    resolve(ok);
  };
  socket.once("data", (data) => answer(data.toString("latin1").startsWith("SSH-")));
  for (const end of ["error", "timeout", "close"]) socket.once(end, () => answer(false));
  return promise;
}
