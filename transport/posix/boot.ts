import { sh } from "../command.ts";
import type { Fact } from "../host.ts";

/**
 * Tells one boot of a machine from the next: the kernel's boot id and the start time of PID 1. The second
 * matters for containers, which share the boot id of their kernel (proc_pid_stat(5): field 22, counted behind
 * the name in brackets).
 */
export const bootIdentity: Fact<string> = {
  name: "boot identity",
  command: sh`cat /proc/sys/kernel/random/boot_id /proc/1/stat`,
  timeoutSeconds: 5,
  parse({ stdout }) {
    const [bootId = "", stat = ""] = stdout.split("\n");
    const startTime = stat
      .slice(stat.lastIndexOf(")") + 1)
      .trim()
      .split(" ")[19];
    if (bootId === "" || startTime === undefined)
      throw new Error("boot id or start time of PID 1 is missing");
    return `${bootId} ${startTime}`;
  },
};

export const reboot = sh`systemctl reboot`;

export const rebootHint = "look at its console; a job may hold up the shutdown: systemctl list-jobs";
