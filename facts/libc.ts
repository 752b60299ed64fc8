import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** The system's C library by name and version: `glibc 2.36`. One that does not tell is another one. */
export const libc: Fact<string> = {
  name: "getconf",
  command: sh`getconf GNU_LIBC_VERSION 2>/dev/null; exit 0`,
  parse: (finished) => {
    const text = linesOf(finished).join("\n");
    return text === "" ? "no glibc" : (partsOf(text, /^(glibc \d+(?:\.\d+)+)$/, "a C library")[0] ?? "");
  },
};
