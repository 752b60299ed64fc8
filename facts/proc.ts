import { type ShellCommand, sh } from "#transport/command.ts";

/**
 * A shell function for scripts that meet a process of somebody else: `who PID` prints its name, its unit and
 * since when it runs, in words that stay the same from one look to the next. `who PID arguments` prints its
 * command line in place of the name: only for programs whose arguments hold no secret.
 */
export const whoFunction: ShellCommand = sh`who() {
  name=$(cat "/proc/$1/comm" 2>/dev/null) || return 1
  line=$(tr '\\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | cut -c 1-120)
  [ -z "\${2-}" ] || [ -z "$line" ] || name=\${line% }
  unit=$(sed -n -e 's|^0::.*/||p' -e 's|^[0-9]*:name=systemd:.*/||p' "/proc/$1/cgroup" | grep . | head -n 1)
  ticks=$(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20)
  since=$(date -u -d "@$(($(sed -n 's/^btime //p' /proc/stat) + \${ticks:-0} / 100))" '+%F %T UTC')
  printf '%s\\n' "$name (pid $1, \${unit:+$unit, }since $since)"
}`;
