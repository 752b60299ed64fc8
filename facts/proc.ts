import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/**
 * Value of an environment variable with which the processes of a unit were started; `undefined` if none of them shows it.
 * The main process is asked first, then the others of its control group: a program that writes its title over its
 * environment (setproctitle) hides its own.
 */
export const startedWith = (unit: string, variable: string): Fact<string | undefined> => ({
  name: `environment of ${unit}`,
  command: sh`get() { systemctl show ${unit} --property="$1" --value; }
group=$(get ControlGroup)
for p in $(get MainPID) $(get ControlPID) $([ -z "$group" ] || cat "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup/systemd$group/cgroup.procs" 2>/dev/null | head -n 64); do
value=$(tr '\\0' '\\n' <"/proc/$p/environ" 2>/dev/null | sed -n ${`s/^${variable}=//p`} | head -n 1)
[ -z "$value" ] || { printf '%s\\n' "$value"; break; }
done; true`,
  parse: ({ stdout }) => stdout.split("\n")[0] || undefined,
});
