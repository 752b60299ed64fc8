import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** Processor cores that are on; two threads of one core count once. */
export const cpuCores: Fact<number> = {
  name: "lscpu",
  command: sh`lscpu --parse=CORE,SOCKET`,
  parse: ({ stdout }) => {
    const cores = new Set(stdout.split("\n").filter((line) => /^\d+,/.test(line)));
    if (cores.size === 0) throw new Error("lscpu named no core");
    return cores.size;
  },
};
