import { sh } from "./command.ts";
import { HostError, type Subject } from "./errors.ts";
import type { Worker } from "./worker.ts";

const FILE = "/run/lock/gpu-hosts.lock";

/** A holder that has not been heard of for this long (a laptop closed, a cable pulled) loses the lock. */
const LEASE_SECONDS = 90;
const RENEW_SECONDS = 20;

/** The machine-wide lock while it is held. */
export interface HeldLock {
  readonly holder: string;
  release(): void;
}

/**
 * Takes the lock in a shell of its own, which holds it as long as it lives and hears from us. `onLoss` is called if the
 * host takes it back. Rejects with `refused`, naming the present holder.
 */
export async function takeLock(
  subject: Subject,
  shell: Worker,
  holder: string,
  waitSeconds: number,
  onLoss: () => void,
): Promise<HeldLock> {
  const line = holder.replaceAll(/\s+/g, " ").trim();
  // Opened for appending: to truncate it would wipe the holder's name from under the holder.
  const take = sh`exec 9>>${FILE} && flock -w ${waitSeconds} 9 && printf 'since %s by %s\n' "$(date -u '+%F %T UTC')" ${line} >${FILE}`;
  const taken = await shell.statement(take, waitSeconds + 10);
  if (taken.exitCode !== 0) {
    const present = await shell.statement(sh`cat ${FILE}`, 10).catch(() => undefined);
    shell.close();
    throw refused(subject, taken.stderr.toString(), present?.stdout.toString().trim() ?? "", line);
  }
  shell.feed(`while l=$(timeout ${LEASE_SECONDS} head -n 1) && [ -n "$l" ]; do :; done; exit\n`);
  const renewal = setInterval(() => shell.feed("still here\n"), RENEW_SECONDS * 1000);
  let released = false;
  shell.onEnd(() => {
    clearInterval(renewal);
    if (!released) onLoss();
  });
  return {
    holder,
    release() {
      released = true;
      shell.close();
    },
  };
}

function refused(subject: Subject, stderr: string, present: string, holder: string): HostError {
  if (stderr.trim() !== "") return new HostError(subject, "refused", `cannot take ${FILE}: ${stderr.trim()}`);
  if (present.endsWith(` by ${holder}`)) {
    return new HostError(
      subject,
      "refused",
      "this very run is changing the machine under another name of the inventory",
      "two entries lead to it. To rename a machine in one `up`, give both names the same address, port, user and keys and the old one " +
        "`retire: true`; else retire the old name first and add the new one in a second `up`",
    );
  }
  return new HostError(
    subject,
    "refused",
    `another run is changing this host: held ${present || "by a run that did not name itself"}`,
    "wait for it to end, or end it; the lock goes when its connection closes",
  );
}
