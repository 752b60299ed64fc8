import { raw, type ShellCommand, script, sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";
import { whoFunction } from "./proc.ts";

interface Socket {
  readonly listening: boolean;
  readonly port: number;
  readonly processes: readonly string[];
}

/** State, queues, both addresses, processes: `users:(("sshd",pid=35,fd=3))`. */
const socket = /^([A-Z0-9-]+) +\d+ +\d+ +\S+:(\d+) +\S+:(?:\d+|\*)(?: +users:(\(.*\)))? *$/;

function parseSockets(finished: Finished): readonly Socket[] {
  return linesOf(finished).map((line) => {
    const [state = "", port, users = ""] = partsOf(line, socket, "a socket");
    const processes = [...users.matchAll(/\("([^"]+)"/g)].map((match) => match[1] ?? "");
    return { listening: state === "LISTEN", port: Number(port), processes };
  });
}

const isSsh = ({ processes }: Socket) => processes.some((name) => /^(sshd|dropbear)/.test(name));

/**
 * TCP ports on which this machine is reached by SSH: an SSH server listens there, or one has a connection on
 * a port that somebody listens on (systemd's ssh.socket listens itself; ends of forwarded connections do not
 * count).
 */
export const sshPorts: Fact<readonly number[]> = {
  name: "ss",
  command: sh`ss -Hltnp || exit; ss -Htnp | grep -E '"(sshd|dropbear)'; exit 0`,
  parse: (finished) => {
    const sockets = parseSockets(finished);
    const listening = new Set(sockets.filter((socket) => socket.listening).map(({ port }) => port));
    const ports = sockets
      .filter((socket) => isSsh(socket) && listening.has(socket.port))
      .map(({ port }) => port);
    return [...new Set(ports)].sort((a, b) => a - b);
  },
};

/**
 * Shell functions for a service that is to listen on a TCP port: `listens UNIT PORT` succeeds if a process of
 * the unit does, or systemd itself for its socket; `stranger UNIT PORT` prints who holds the port in its
 * place, and fails if nobody does.
 */
export const listenerFunctions: ShellCommand = sh`${whoFunction}
${raw(script(import.meta.url, "./listener-functions.sh").text)}`;

/** A socket that listens on some port, and whose it is. */
export interface Listener {
  /** Such as `0.0.0.0:8080`. */
  readonly address: string;
  /**
   * Where it stands in systemd's tree, innermost last: `system.slice`, `x.service`. Empty: ss cannot tell.
   */
  readonly units: readonly string[];
  /** Process, pid, unit and since when, in words. Empty: ss cannot tell. */
  readonly who: string;
}

const listener = /^(\S+:\d+)\t((?:\/[^\t]*)?)\t(.*)$/;

/**
 * Who listens on a TCP port, at whatever address. Of what systemd itself holds, its socket and the service
 * behind that.
 */
export const listenersOn = (port: number): Fact<readonly Listener[]> => ({
  name: `listeners on port ${port}`,
  command: sh`${whoFunction}
sockets=$(ss -Hltnp ${`sport = :${port}`}) || exit
printf '%s\\n' "$sockets" | while read -r _ _ _ address _ users; do
  [ -n "$address" ] || continue
  pid= holder= group=
  case $users in *pid=*) pid=\${users#*pid=} pid=\${pid%%,*} ;; esac
  if [ "$pid" = 1 ]; then
    group=$(systemctl list-sockets --full --no-legend | sed -nE ${`s|^\\S*:${port} +(\\S+) +(\\S*).*|/\\2/\\1|p`} | head -n 1)
    holder="systemd for \${group##*/}"
  elif [ -n "$pid" ]; then
    group=$(sed -n -e 's/^0:://p' -e 's/^[0-9]*:name=systemd://p' "/proc/$pid/cgroup" 2>/dev/null | grep .. | head -n 1)
    holder=$(who "$pid")
  fi
  printf '%s\\t%s\\t%s\\n' "$address" "$group" "$holder"
done; exit 0`,
  parse: (finished) =>
    linesOf(finished).map((line) => {
      const [address = "", group = "", who = ""] = partsOf(line, listener, "a listener");
      return { address, units: group.split("/").filter((unit) => unit !== ""), who };
    }),
});
