import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

interface Socket {
  readonly listening: boolean;
  readonly port: number;
  readonly processes: readonly string[];
}

function parseSockets(stdout: string): readonly Socket[] {
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [state, , , local = "", , users = ""] = line.trim().split(/\s+/);
      const port = Number(/:(\d+)$/.exec(local)?.[1]);
      if (Number.isNaN(port)) throw new Error(`not the line of a socket: ${line}`);
      const processes = [...users.matchAll(/\("([^"]+)"/g)].map((match) => match[1] ?? "");
      return { listening: state === "LISTEN", port, processes };
    });
}

const isSsh = ({ processes }: Socket) => processes.some((name) => /^(sshd|dropbear)/.test(name));

/**
 * TCP ports on which this machine is reached by SSH: an SSH server listens there, or one has a connection on a port that
 * somebody listens on (systemd's ssh.socket listens itself; ends of forwarded connections do not count).
 */
export const sshPorts: Fact<readonly number[]> = {
  name: "ss",
  command: sh`ss -Hltnp && ss -Htnp | grep -E '"(sshd|dropbear)'; exit 0`,
  parse: ({ stdout }) => {
    const sockets = parseSockets(stdout);
    const listening = new Set(sockets.filter((socket) => socket.listening).map(({ port }) => port));
    const ports = sockets
      .filter((socket) => isSsh(socket) && listening.has(socket.port))
      .map(({ port }) => port);
    return [...new Set(ports)].sort((a, b) => a - b);
  },
};
