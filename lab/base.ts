import { createHash } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { local, lock } from "./local.ts";
import { removeTree } from "./remove-tree.ts";

/** Debian releases the lab has hosts of: bookworm is today's stable kind of host, forky has llama.cpp. */
export type Release = "bookworm" | "forky";

/** Folder of what outlives labs: base images and downloaded packages. */
export const cacheDir = resolve(process.env.GPU_HOSTS_CACHE ?? join(homedir(), ".cache", "gpu-hosts"), "lab");

// What a minimal server installation has before we touch it. No python: we must not need it.
const packages = [
  "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo",
  "ca-certificates,curl,gpg,iproute2,iputils-ping,nftables,procps",
].join(",");

// The lab's mirror may be a frozen copy whose Release files are past their dates.
const aptConf = `Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
`;

/** Turns a fresh debootstrap root into an image of which every copy is a machine of its own. */
const prepare = `set -eu
useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
chmod 440 /etc/sudoers.d/ops
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
systemctl enable ssh.service
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/hostname /var/cache/apt/archives/*.deb
: > /etc/machine-id
`;

/**
 * Where this machine gets its own Debian packages, if it is a Debian; undefined leaves the choice to
 * debootstrap.
 */
async function ownMirror(): Promise<string | undefined> {
  if (process.env.GPU_HOSTS_LAB_MIRROR) return process.env.GPU_HOSTS_LAB_MIRROR;
  const osRelease = await readFile("/etc/os-release", "utf8").catch(() => "");
  if (!/^ID=debian$/m.test(osRelease)) return undefined;
  const files = ["/etc/apt/sources.list", ...globSync("/etc/apt/sources.list.d/*.{list,sources}")];
  for (const file of files.filter((name) => existsSync(name))) {
    const lines = (await readFile(file, "utf8")).split("\n").filter((line) => !line.startsWith("#"));
    const mirror = /^(?:URIs:|deb ).*?(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(lines.join("\n"))?.[1];
    if (mirror) return mirror;
  }
  return undefined;
}

/**
 * The read-only root of a release, built on first use into {@link cacheDir} (1-2 minutes) and shared by all
 * labs. A build that is killed leaves nothing that looks complete; a second builder waits for the first.
 * @param progress gets one line a stage
 */
export async function baseImage(release: Release, progress: (line: string) => void): Promise<string> {
  const mirror = await ownMirror();
  const recipe = JSON.stringify([release, packages, aptConf, prepare, mirror]);
  const stamp = createHash("sha256").update(recipe).digest("hex").slice(0, 12);
  const image = join(cacheDir, `${release}-${stamp}`);
  if (existsSync(image)) return image;

  await mkdir(cacheDir, { recursive: true });
  const mine = await lock(join(cacheDir, `${release}.lock`), true);
  try {
    if (!existsSync(image)) await build(release, mirror, image, mine?.fd, progress);
  } finally {
    mine?.release();
  }
  return image;
}

async function build(
  release: Release,
  mirror: string | undefined,
  image: string,
  lockFd: number | undefined,
  progress: (line: string) => void,
) {
  const root = join(cacheDir, `${release}.building`);
  await removeTree(root);
  progress(`${release} base image: building (once, 1-2 minutes)`);
  // An older debootstrap does not know a newer release by name; all newer ones are built as sid is.
  const scripts = "/usr/share/debootstrap/scripts";
  const script = existsSync(join(scripts, release)) ? release : "sid";
  const stages = new Set<string>();
  const where = [release, root, mirror ?? "", join(scripts, script)];
  await local("debootstrap", ["--variant=minbase", `--include=${packages}`, ...where], {
    timeoutSeconds: 1800,
    onLine: (line) => {
      // It names every package in every stage; the first one of a stage is enough.
      const stage = /^I: (\S+)/.exec(line)?.[1];
      if (!stage || stages.has(stage)) return;
      stages.add(stage);
      progress(`${release} base image: ${line.slice(3)}`);
    },
    ...(lockFd === undefined ? {} : { inherit: lockFd }),
  }).catch((error: Error) => {
    throw new Error(
      `the ${release} base image could not be built; is the Debian mirror reachable? ` +
        `(GPU_HOSTS_LAB_MIRROR names another one)\n${error.message}`,
    );
  });
  await writeFile(join(root, "etc/apt/apt.conf.d/90lab"), aptConf);
  // Hosts are thrown away; waiting for the disk at each file would only slow every install.
  await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/90lab"), "force-unsafe-io\n");
  await local("chroot", [root, "sh", "-c", prepare]);
  await rename(root, image);
  for (const name of await readdir(cacheDir)) {
    if (name.startsWith(`${release}-`) && join(cacheDir, name) !== image) await retire(join(cacheDir, name));
  }
  progress(`${release} base image: ready`);
}

/** Removes the image of an older recipe, unless a running lab still stands on it. */
async function retire(image: string) {
  const mounts = await readFile("/proc/mounts", "utf8");
  if (!mounts.includes(`lowerdir=${image}`)) await removeTree(image);
}
