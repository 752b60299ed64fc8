/** One word of an Exec line: quoted for systemd, which would else expand `%` and `$` and split at spaces. */
export function unitWord(value: string): string {
  if (/[\n\0]/.test(value)) throw new Error("a word of a unit cannot hold a line break");
  const literal = value.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w%@+=:,./$-]+$/.test(literal)) return literal;
  return `"${literal.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** Words of an Exec line. */
export const unitWords = (values: readonly (string | number)[]): string =>
  values.map((value) => unitWord(String(value))).join(" ");

/**
 * What a process that outsiders talk to may do: no root, no writing, no other kernel interfaces. The devices
 * stay, since the GPUs are among them and appear when their driver loads, perhaps after the unit was started;
 * no ProtectClock either, whose DeviceAllow would shut out every device it does not name. Of other users'
 * processes it sees none, but all else of /proc: engines read there what processors, memory and drivers there
 * are. The user of linux-host is in the groups that own the GPUs; where there is no such user, systemd makes
 * one up.
 */
const hardening = `User=gpu-hosts
DynamicUser=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=no
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProtectHostname=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM`;

/** What is particular about a unit that serves. */
export interface ServingUnit {
  readonly description: string;
  /** Its settings, `NAME=value`. A value that changes with the build restarts the unit then. */
  readonly environment: readonly string[];
  /** Further lines of its [Service] section, ExecStart among them. */
  readonly lines: string;
  readonly restartSeconds: number;
}

/** The unit of a process that serves: starts with the machine, and comes back however often it falls. */
export const renderServingUnit = ({
  description,
  environment,
  lines,
  restartSeconds,
}: ServingUnit): string => `[Unit]
Description=${description}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
${environment.map((setting) => `Environment=${setting}\n`).join("")}${lines}
Restart=always
RestartSec=${restartSeconds}
${hardening}

[Install]
WantedBy=multi-user.target
`;
