import { spawn } from "node:child_process";
import { once } from "node:events";
import { sh } from "#transport/command.ts";
import { desired } from "./desired.ts";

const units = Object.keys(desired.units);

/**
 * Reads by hand, in as few processes as there are tools, what the scan of {@link desired} reads of a host.
 */
const script = sh`
stat --printf='%f %U:%G %s %n\\0' -- ${Object.keys(desired.files)}
sha256sum -- ${Object.keys(desired.files)}
dpkg-query -W -f '\${Package} \${db:Status-Status} \${Version}\\n' -- ${desired.packages}
grep -x -F -A2 ${desired.packages.flatMap((name) => ["-e", `Package: ${name}`])} /var/lib/apt/extended_states
systemctl show ${units} --property=LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Result,MainPID,ControlGroup
for u in ${units}; do cat "/etc/systemd/system/$u" "/etc/systemd/system/$u.d/"*.conf "/etc/gpu-hosts/env/$u.env"; done
for u in ${units}; do cat /proc/$(cat "/sys/fs/cgroup/system.slice/$u/cgroup.procs" "/sys/fs/cgroup/systemd/system.slice/$u/cgroup.procs" 2>/dev/null)/environ; done
`.text;

/** The plain OpenSSH client with its usual settings, less what depends on the user's own files. */
export function sshArguments(to: { address: string; port?: number; identityFile: string }): string[] {
  const options = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
  ];
  return [
    ...["-F", "none", "-q", "-i", to.identityFile, "-p", String(to.port ?? 22)],
    ...options.flatMap((option) => ["-o", option]),
    `root@${to.address}`,
  ];
}

/** One login, one script, its whole answer read. */
export async function readWithSsh(to: Parameters<typeof sshArguments>[0]): Promise<void> {
  const child = spawn("ssh", [...sshArguments(to), script], { stdio: ["ignore", "pipe", "ignore"] });
  let bytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(child, "close");
  // 50 items are some 15 kB; an ssh that did not get in says next to nothing.
  if (bytes < 5000) throw new Error(`the bare ssh to ${to.address} brought only ${bytes} bytes`);
}
