import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/**
 * Processor cores that are on; two threads of one core count once. The kernel says which threads share a
 * core. Only where it does not, lscpu is asked, which numbers the cores of each type of processor from 0: 3
 * of 8 on one with two kinds of them.
 */
export const cpuCores: Fact<number> = {
  name: "processor cores",
  command: sh`cat /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings 2>/dev/null || lscpu --parse=CORE,SOCKET`,
  parse: (finished) => {
    const lines = linesOf(finished).filter((line) => !line.startsWith("#"));
    const cores = new Set(lines.map((line) => partsOf(line, /^([0-9a-f]+(?:,[0-9a-f-]*)*)$/, "a core")[0]));
    if (cores.size === 0)
      throw new Error("neither the kernel nor lscpu says which cores there are: no core in the answer");
    return cores.size;
  },
};
