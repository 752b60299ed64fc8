import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { splitLines } from "./lines.ts";

/** What operating system a machine runs. */
export interface OsRelease {
  /** `debian`, `ubuntu`, `fedora` … */
  readonly id: string;
  /** Families it belongs to besides its own: `debian` for most derivatives. */
  readonly like: readonly string[];
  /** In full: `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
}

/** One shell word as os-release(5) allows it: plain, or in quotes with backslashes before `"$\``. */
function unquoted(value: string): string {
  const inner = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
  return inner.replaceAll(/\\(.)/g, "$1");
}

function parseOsRelease(stdout: string): OsRelease {
  const pairs = splitLines(stdout).flatMap((line) => {
    const [, key, value = ""] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    return key === undefined ? [] : [[key, unquoted(value)] as const];
  });
  const values = new Map(pairs);
  const id = values.get("ID");
  if (!id) throw new Error("os-release has no ID");
  return {
    id,
    like: (values.get("ID_LIKE") ?? "").split(" ").filter((word) => word !== ""),
    name: values.get("PRETTY_NAME") ?? id,
  };
}

/** The operating system, by its own word. */
export const osRelease: Fact<OsRelease> = {
  name: "os-release",
  command: sh`cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release`,
  parse: ({ stdout }) => parseOsRelease(stdout),
};
