import type { Platform } from "../platform.ts";
import { bootIdentity, reboot, rebootHint } from "./boot.ts";
import { readFile, writeFile } from "./files.ts";
import { lock } from "./lock.ts";
import { rootShells } from "./root-shell.ts";

/** A Linux machine on which root is had over SSH. */
export const posix: Platform = {
  system: "linux",
  shells: ({ endpoint: { host, user }, credentials }) =>
    rootShells({ host, user, sudoPassword: credentials?.sudoPassword }),
  basics: {
    boot: bootIdentity,
    sameBoot: (one, other) => one === other,
    reboot,
    rebootHint,
    readFile,
    writeFile,
    lock,
  },
};
