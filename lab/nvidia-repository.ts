import type { SmallPackage } from "./apt-repository.ts";

/**
 * Stands in for NVIDIA's repository on Debian: the real names and dependencies as far as a driver for
 * computing goes (driver installation guide, 2026-05), no real content. What stands in for what:
 *
 * - the kernel module: a unit that at boot lays a folder over /sys/module with the version that is installed;
 *   a lab host shares its kernel with this machine and can load nothing
 * - nvidia-smi: a script that answers as the driver's documentation and users' reports have it, by that folder
 * - the library: an empty file under the real name
 */

const moduleUnit = `[Unit]
Description=stands in for loading the NVIDIA module
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mount -t tmpfs tmpfs /sys/module && mkdir /sys/module/nvidia && cp /usr/src/nvidia-version /sys/module/nvidia/version'
[Install]
WantedBy=sysinit.target
`;

const smi = (version: string) => `#!/bin/sh
loaded=$(cat /sys/module/nvidia/version 2>/dev/null) || {
  echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running."
  exit 9
}
[ "$loaded" = ${version} ] || { echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18; }
echo "0, GPU-5d3c0e8a-0000-0000-0000-000000000001, NVIDIA GeForce RTX 4090, ${version}, 24564, 1, 0, 36, 8.9"
`;

const daemonUnit = `[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`;

/** The packages of one driver version, such as 580.95.05. */
function driverPackages(version: string): readonly SmallPackage[] {
  const debian = `${version}-1`;
  const modules = (name: string, conflicts: string): SmallPackage => ({
    name,
    version: debian,
    conflicts,
    files: {
      "/usr/src/nvidia-version": `${version}\n`,
      "/usr/lib/systemd/system/lab-nvidia-module.service": moduleUnit,
      "/etc/systemd/system/sysinit.target.wants/lab-nvidia-module.service": {
        link: "/usr/lib/systemd/system/lab-nvidia-module.service",
      },
    },
  });
  return [
    modules("nvidia-kernel-open-dkms", "nvidia-kernel-dkms"),
    modules("nvidia-kernel-dkms", "nvidia-kernel-open-dkms"),
    {
      name: "nvidia-driver-cuda",
      version: debian,
      depends: `libnvidia-ml1 (= ${debian})`,
      files: { "/usr/bin/nvidia-smi": smi(version) },
    },
    {
      name: "libnvidia-ml1",
      version: debian,
      files: {
        [`/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.${version}`]: "",
        "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1": { link: `libnvidia-ml.so.${version}` },
      },
    },
    {
      name: "nvidia-persistenced",
      version: debian,
      files: { "/usr/lib/systemd/system/nvidia-persistenced.service": daemonUnit },
    },
  ];
}

/** What holds a branch: preferences for its versions. */
const pinning = (branch: number): SmallPackage => ({
  name: `nvidia-driver-pinning-${branch}`,
  version: `${branch}-1`,
  files: {
    [`/etc/apt/preferences.d/nvidia-driver-pinning-${branch}`]: `Package: *nvidia*\nPin: version ${branch}.*\nPin-Priority: 1000\n`,
  },
});

/** Packages to publish. @param versions of the driver @param kernel as `uname -r` prints it */
export const nvidiaRepository = (versions: readonly string[], kernel: string): readonly SmallPackage[] => [
  ...versions.flatMap(driverPackages),
  ...[...new Set(versions.map((version) => Number.parseInt(version, 10)))].map(pinning),
  { name: `linux-headers-${kernel}`, version: "1.0" },
];
