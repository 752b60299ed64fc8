import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { local, tryLocal } from "./local.ts";

/** What the lab calls or reads, with the Debian or Ubuntu package of each. */
const needed = [
  ["debootstrap", "debootstrap"],
  ["systemd-nspawn", "systemd-container"],
  ["ip", "iproute2"],
  ["ssh", "openssh-client"],
  ["ssh-keygen", "openssh-client"],
  ["flock", "util-linux"],
  ["mount", "mount"],
  ["/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"],
] as const;

interface Requirements {
  /** What the lab needs and this machine has not: programs and files. */
  readonly missing: readonly string[];
  /** System packages that bring what is missing; {@link installRequirements} takes them. */
  readonly packages: readonly string[];
  /** Why no package of ours can make a lab run here, as a sentence for the operator. */
  readonly reason?: string;
}

/** What is still missing on this machine before a lab can run. Changes nothing. */
export async function requirements(): Promise<Requirements> {
  const reason = await obstacle();
  if (reason) return { missing: [], packages: [], reason };
  const absent = needed.filter(([what]) => !present(what));
  const missing = absent.map(([what]) => what);
  const packages = [...new Set(absent.map(([, name]) => name))];
  if (packages.length === 0 || present("apt-get")) return { missing, packages };
  return {
    missing,
    packages,
    reason: `the lab needs ${missing.join(", ")}; install them with this system's own tool`,
  };
}

async function obstacle(): Promise<string | undefined> {
  const hosts = "the lab's hosts are Linux machines under systemd-nspawn";
  if (process.platform !== "linux") return `${hosts}, which needs Linux; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return `${hosts}, which needs Linux root; run it as root or with sudo`;
  const { exitCode } = await tryLocal("unshare", ["--mount", "--net", "true"]);
  if (exitCode === 0) return undefined;
  return `${hosts}, which needs mounts and network namespaces; this root may not make them (a container without --privileged?)`;
}

/** A file, or a program in the PATH or where root's programs are. */
function present(what: string): boolean {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return (what.startsWith("/") ? [what] : folders.map((folder) => join(folder, what))).some(readable);
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Installs the packages that {@link requirements} names, with apt-get, as root.
 * @param onLine gets apt-get's output
 */
export async function installRequirements(
  packages: readonly string[],
  onLine: (line: string) => void = () => undefined,
): Promise<void> {
  const options = { env: { DEBIAN_FRONTEND: "noninteractive" }, timeoutSeconds: 900, onLine };
  await local("apt-get", ["update", "-q"], options);
  await local("apt-get", ["install", "-q", "--yes", "--no-install-recommends", ...packages], options);
}

/** Why no lab can run here and now, with the cure; undefined if one can. */
export async function obstacleToLab(): Promise<string | undefined> {
  const { packages, reason } = await requirements();
  if (reason) return reason;
  return packages.length > 0
    ? `the lab needs system packages: apt-get install ${packages.join(" ")}`
    : undefined;
}
