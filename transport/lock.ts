import type { LockCommands } from "./basics.ts";
import { HostError, type HostName } from "./errors.ts";
import type { Worker } from "./worker.ts";

/** A holder that has not been heard of for this long (a laptop closed, a cable pulled) loses the lock. */
const leaseSeconds = 90;
const renewSeconds = 20;

/** The machine-wide lock while it is held. */
export interface HeldLock {
  readonly holder: string;
  release(): void;
}

/**
 * Takes the lock in a shell of its own, which holds it as long as it lives and hears from us. `onLoss` is
 * called if the host takes it back. Rejects with `refused`, naming the present holder.
 */
export async function takeLock(
  host: HostName,
  lock: LockCommands,
  shell: Worker,
  { holder, waitSeconds }: { readonly holder: string; readonly waitSeconds: number },
  onLoss: () => void,
): Promise<HeldLock> {
  const line = holder.replaceAll(/\s+/g, " ").trim();
  const taken = await shell.statement(lock.take(line, waitSeconds), waitSeconds + 10);
  if (taken.exitCode !== 0) {
    const present = await shell.statement(lock.holder, 10).catch(() => undefined);
    shell.close();
    const said = taken.stderr.toString().trim();
    if (said !== "") throw new HostError(host, "refused", `cannot take ${lock.place}: ${said}`);
    throw lockedBy(host, present?.stdout.toString().trim() ?? "", line);
  }
  shell.feed(lock.hold(leaseSeconds));
  const renewal = setInterval(() => shell.feed("still here\n"), renewSeconds * 1000);
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

function lockedBy(host: HostName, present: string, holder: string): HostError {
  if (present.endsWith(` by ${holder}`)) {
    return new HostError(
      host,
      "refused",
      "this very run is changing the machine under another name of the inventory",
      "two entries lead to it. To rename a machine in one `up`, give both names the same address, port, user and keys and the old one " +
        "`retire: true`; else retire the old name first and add the new one in a second `up`",
    );
  }
  return new HostError(
    host,
    "refused",
    `another run is changing this host: held ${present || "by a run that did not name itself"}`,
    "wait for it to end, or end it; the lock goes when its connection closes",
  );
}
