import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** Name and processor of a machine. */
export interface Uname {
  /** Network name, perhaps with its domain. */
  readonly hostname: string;
  /** `x86_64`, `aarch64`. */
  readonly architecture: string;
}

export const uname: Fact<Uname> = {
  name: "uname",
  command: sh`uname -n && uname -m`,
  parse: ({ stdout }) => {
    const [hostname, architecture] = stdout.trim().split("\n");
    if (!hostname || !architecture) throw new Error("uname did not answer two lines");
    return { hostname, architecture };
  },
};
