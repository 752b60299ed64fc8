import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf } from "./lines.ts";

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
  parse: (finished) => {
    const [hostname = "", architecture = "", ...more] = linesOf(finished);
    if (!/^\S+$/.test(hostname) || !/^[a-z]\w+$/.test(architecture) || more.length > 0)
      throw new Error("uname did not answer with a name and an architecture");
    return { hostname, architecture };
  },
};
