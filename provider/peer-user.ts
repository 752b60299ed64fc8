import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { endianness } from "node:os";

/**
 * How the kernel writes 127.0.0.1:80 in its tables: the four bytes as one number of this machine's byte
 * order, and the port.
 */
function addressInTable(address = "", port = 0): string {
  const bytes = address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
  const number = (endianness() === "LE" ? bytes.reverse() : bytes).join("");
  return `${number}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}

/** The same address as an IPv6 socket has it (::ffff:127.0.0.1). */
const mapped = (address: string) =>
  `${endianness() === "LE" ? "0000000000000000FFFF0000" : "00000000000000000000FFFF"}${address}`;

/**
 * User who has the other end of a connection that comes over IPv4 from this machine, as Linux tells it
 * (proc(5), /proc/net/tcp). Undefined where nobody has it any more.
 */
export function peerUser({ localAddress, localPort, remoteAddress, remotePort }: Socket): number | undefined {
  const theirs = addressInTable(remoteAddress, remotePort);
  const ours = addressInTable(localAddress, localPort);
  // Again, because the kernel hands out a long table in pieces, and a line that moved in between may be in
  // none.
  for (let look = 0; look < 3; look++) {
    const line =
      findLine("/proc/self/net/tcp", theirs, ours) ??
      findLine("/proc/self/net/tcp6", mapped(theirs), mapped(ours));
    if (line) return ownerOf(line);
  }
  return undefined;
}

/** Columns of a connection in one of the kernel's tables. */
function findLine(file: string, local: string, remote: string): readonly string[] | undefined {
  for (const line of readTable(file).split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns[1] === local && columns[2] === remote) return columns;
  }
  return undefined;
}

/** A socket that no process has open any more is shown with inode 0, and by older kernels as root's. */
function ownerOf([, , , state, , , , user, , inode]: readonly string[]): number | undefined {
  return state === "01" && inode !== "0" ? Number(user) : undefined;
}

/** Nothing where there is no such table, as without IPv6. */
function readTable(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
