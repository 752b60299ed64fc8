import type { LockCommands } from "../basics.ts";
import { sh } from "../command.ts";

const FILE = "/run/lock/gpu-hosts.lock";

/** A flock(1), which the kernel gives back when the shell that has it ends. */
export const lock: LockCommands = {
  place: FILE,
  // Opened for appending: to truncate it would wipe the holder's name from under the holder.
  take: (holder, waitSeconds) =>
    sh`exec 9>>${FILE} && flock -w ${waitSeconds} 9 && printf 'since %s by %s\n' "$(date -u '+%F %T UTC')" ${holder} >${FILE}`,
  holder: sh`cat ${FILE}`,
  hold: (leaseSeconds) => `while l=$(timeout ${leaseSeconds} head -n 1) && [ -n "$l" ]; do :; done; exit\n`,
};
