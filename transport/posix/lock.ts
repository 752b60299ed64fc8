import type { LockCommands } from "../basics.ts";
import { sh } from "../command.ts";

/** Root alone may enter the folder: in /run/lock anybody could hold or replace the file. */
const lockFolder = "/run/gpu-hosts";
const lockFile = `${lockFolder}/lock`;

/** A flock(1), which the kernel gives back when the shell that has it ends. */
export const lock: LockCommands = {
  place: lockFile,
  // Opened for appending: to truncate it would wipe the holder's name from under the holder.
  take: (holder, waitSeconds) =>
    sh`install -d -m 0700 ${lockFolder} && exec 9>>${lockFile} && flock -w ${waitSeconds} 9 && printf 'since %s by %s\n' "$(date -u '+%F %T UTC')" ${holder} >${lockFile}`,
  holder: sh`cat ${lockFile}`,
  hold: (leaseSeconds) => `while l=$(timeout ${leaseSeconds} head -n 1) && [ -n "$l" ]; do :; done; exit\n`,
};
