import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostEntry, hostEntry } from "#inventory/inventory.ts";
import { fingerprintOf } from "../host-keys/host-key.ts";

const sshdPath = "/usr/sbin/sshd";

/** An OpenSSH server of the test's own on loopback, with its own keys and settings. */
export interface TestSshd {
  readonly folder: string;
  readonly port: number;
  /** Of its host key, as `ssh-keygen -lf` prints it. */
  readonly fingerprint: string;
  /** The line known_hosts would hold for it. */
  readonly hostKeyLine: string;
  /** Inventory entry that reaches it. */
  entry(overrides?: Partial<HostEntry>): HostEntry;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Ends the server and starts another, as \`systemctl restart ssh\` does: what it serves goes on. */
  restart(): Promise<void>;
  /** Connections it serves at this moment. */
  connections(): number;
  /** Ends the processes that serve connections, as a network failure would. */
  dropConnections(): void;
  /** Stops the server and deletes its folder. */
  remove(): Promise<void>;
}

/** What this machine lacks for a test sshd; `undefined` if nothing. */
export function missingForSshd(): string | undefined {
  if (userInfo().uid !== 0) return "needs Linux root";
  return existsSync(sshdPath) ? undefined : `${sshdPath} is missing: apt-get install openssh-server`;
}

/**
 * Starts an sshd as root. Throws, naming what is missing, where it cannot. @param settings lines of
 * sshd_config
 */
export async function startSshd(settings: readonly string[] = []): Promise<TestSshd> {
  const missing = missingForSshd();
  if (missing !== undefined) throw new Error(missing);
  // Privilege separation: sshd refuses to start without it, and only its own unit makes it.
  mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const folder = mkdtempSync(join(tmpdir(), "gpu-hosts-sshd-"));
  const port = await freePort();
  for (const key of ["host", "login"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
  const login = readFileSync(join(folder, "login.pub"), "utf8");
  writeFileSync(join(folder, "authorized_keys"), login, { mode: 0o600 });
  const config = [
    "ListenAddress 127.0.0.1",
    "ListenAddress ::1",
    `Port ${port}`,
    `HostKey ${join(folder, "host")}`,
    `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
    "PidFile none",
    "StrictModes no",
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "UsePAM no",
    "MaxStartups 100",
    ...settings,
  ];
  writeFileSync(join(folder, "sshd_config"), `${config.join("\n")}\n`);
  const [type = "", blob = ""] = readFileSync(join(folder, "host.pub"), "utf8").split(" ");
  const fingerprint = fingerprintOf(Buffer.from(blob, "base64"));
  let child: ChildProcess | undefined;

  const server: TestSshd = {
    folder,
    port,
    fingerprint,
    hostKeyLine: `[127.0.0.1]:${port} ${type} ${blob}`,
    entry: (overrides = {}) => ({
      ...hostEntry.parse({
        platform: "linux",
        address: "127.0.0.1",
        port,
        user: "root",
        hostKey: fingerprint,
        identityFile: join(folder, "login"),
      }),
      ...overrides,
    }),
    async start() {
      child = spawn(sshdPath, ["-D", "-e", "-f", join(folder, "sshd_config")], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      let log = "";
      child.stderr?.on("data", (chunk: Buffer) => {
        log += chunk;
      });
      for (let i = 0; !log.includes("Server listening"); i += 1) {
        if (child.exitCode !== null || i > 200) throw new Error(`sshd did not start:\n${log}`);
        await sleep(25);
      }
    },
    async stop() {
      if (!child || child.exitCode !== null) return;
      const gone = new Promise((resolve) => child?.once("exit", resolve));
      server.dropConnections();
      child.kill();
      await gone;
      child = undefined;
    },
    async restart() {
      const old = child;
      const gone = new Promise((resolve) => old?.once("exit", resolve));
      old?.kill();
      await gone;
      await server.start();
    },
    connections: () => childrenOf(child?.pid).length,
    dropConnections() {
      for (const pid of childrenOf(child?.pid)) killQuietly(pid);
    },
    async remove() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
