const folder = { directory: true, mode: "0755" } as const;

const regexOf = (beginning: string) => `^${beginning.replaceAll(/[.+*?^${}()|[\]]/g, "\\$&")}`;

/**
 * Keeps unattended-upgrades, where it is installed, from replacing what serves and from rebooting; it adds to
 * the lists of the distribution, whose file sorts before. Its expressions are matched at the beginning of
 * package names.
 */
export function renderUpgradesGuard(heldPackages: readonly string[]): string {
  return `// Written by gpu-hosts. A driver that is replaced under a running service takes the GPUs away from it until a reboot.
Unattended-Upgrade::Package-Blacklist {
${heldPackages.map((beginning) => `  "${regexOf(beginning)}";\n`).join("")}};
Unattended-Upgrade::Automatic-Reboot "false";
`;
}

/** Keeps needrestart, where it is installed, from restarting what serves after an upgrade of a library. */
const renderRestartGuard = (unitPrefixes: readonly string[]) =>
  `# Written by gpu-hosts. A restart of a server loads its model anew; that is for the operator to choose.
${unitPrefixes.map((prefix) => `$nrconf{override_rc}{qr(${regexOf(prefix)})} = 0;\n`).join("")}1;
`;

/**
 * The user of the services, in the groups that own the GPUs' devices (AMD and Intel; NVIDIA's are open to
 * all).
 */
const users = `# Written by gpu-hosts.
g video - -
g render - -
u gpu-hosts - "gpu-hosts services" /var/lib/gpu-hosts
m gpu-hosts video
m gpu-hosts render
`;

/** Files and folders of a Linux host's base. */
export function baseFiles({
  heldPackages,
  unitPrefixes,
}: {
  readonly heldPackages: readonly string[];
  readonly unitPrefixes: readonly string[];
}) {
  return {
    "/etc/apt/apt.conf.d/52gpu-hosts-unattended-upgrades": { content: renderUpgradesGuard(heldPackages) },
    "/etc/needrestart": folder,
    "/etc/needrestart/conf.d": folder,
    "/etc/needrestart/conf.d/gpu-hosts.conf": { content: renderRestartGuard(unitPrefixes) },
    "/etc/sysusers.d": folder,
    "/etc/sysusers.d/gpu-hosts.conf": { content: users },
    "/etc/gpu-hosts": folder,
    "/usr/local/lib/gpu-hosts": folder,
    "/var/lib/gpu-hosts": folder,
  };
}
