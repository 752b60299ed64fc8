import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** Main memory in bytes, without what the kernel keeps for itself. */
export const memoryTotal: Fact<number> = {
  name: "meminfo",
  command: sh`cat /proc/meminfo`,
  parse: ({ stdout }) => {
    const kib = /^MemTotal:\s+(\d+) kB\r?$/m.exec(stdout)?.[1];
    if (kib === undefined) throw new Error("/proc/meminfo has no MemTotal");
    return Number(kib) * 1024;
  },
};
