import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sh } from "#transport/command.ts";
import { lastLines } from "#transport/errors.ts";
import { Interrupted, type Performing, StepError } from "./failure.ts";
import type { LongStep } from "./step.ts";

const folder = "/var/lib/gpu-hosts/long";

/** Same key, same unit: that is how a second run finds work that is still going on. */
function unitOf(step: LongStep): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([step.key, step.script.text]))
    .digest("hex")
    .slice(0, 12);
  return `gpu-hosts-${step.name}-${hash}`;
}

/**
 * Starts the work unless it runs already; work of the same name with other inputs is stopped first. A running dpkg is
 * waited for, since a package database is worse to repair than an hour is to lose.
 */
function start(step: LongStep, unit: string) {
  const work = `${folder}/${unit}`;
  return sh`systemctl is-active --quiet ${`${unit}.service`} && exit 0
for other in $(systemctl list-units --plain --no-legend --all ${`gpu-hosts-${step.name}-*.service`} | cut -d' ' -f1); do
  while grep -qxs dpkg $(sed 's|.*|/proc/&/comm|' "/sys/fs/cgroup/system.slice/$other/cgroup.procs" 2>/dev/null) /dev/null; do sleep 1; done
  systemctl stop "$other"
done
rm -rf -- ${`${folder}/gpu-hosts-${step.name}`}-* && umask 077 && mkdir -p ${work} && cd ${work} || exit 1
cat > stdin
cat > script <<'GPU_HOSTS_SCRIPT'
${step.script}
GPU_HOSTS_SCRIPT
cat > main <<'GPU_HOSTS_MAIN'
sh ./script < stdin > log 2>&1
echo $? > result.new
rm -f stdin
mv result.new result
GPU_HOSTS_MAIN
systemctl reset-failed ${`${unit}.service`} 2>/dev/null
exec systemd-run --quiet --collect --unit=${unit} --working-directory=${work} --property=RuntimeMaxSec=${step.timeoutSeconds} sh ./main`;
}

/** Result (`running`, `stopped` or an exit code) on the first line, then the log from an offset on. */
const look = (unit: string, offset: number) =>
  sh`cd ${`${folder}/${unit}`} 2>/dev/null || { echo stopped; exit 0; }
if [ -e result ]; then cat result; elif systemctl is-active --quiet ${`${unit}.service`}; then echo running
elif [ -e result ]; then cat result; else echo stopped; fi
tail -c +${offset + 1} log 2>/dev/null; exit 0`;

const pollMilliseconds = 700;
/** The work outlives the connection, so a lost one is only a reason to look again. */
const lostLooks = 5;

async function poll(
  unit: string,
  offset: number,
  { machine }: Performing,
): Promise<{ state: string; log: string }> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { stdout } = await machine.run(look(unit, offset), { timeoutSeconds: 30 });
      const end = stdout.indexOf("\n");
      return { state: stdout.slice(0, end), log: stdout.slice(end + 1) };
    } catch (error) {
      if (attempt === lostLooks) throw error;
      await sleep(1000 * attempt);
    }
  }
}

/** Starts a long step or attaches to it, shows its log as progress, and fails as it fails. */
export async function followLong(step: LongStep, performing: Performing): Promise<void> {
  const { machine, mask, report, signal } = performing;
  const unit = unitOf(step);
  const started = await machine.run(start(step, unit), { stdin: step.stdin ?? "", timeoutSeconds: 600 });
  if (started.exitCode !== 0) {
    throw new StepError(mask(`could not start ${unit} on the host\n${lastLines(started.stderr)}`));
  }
  let log = "";
  for (;;) {
    const seen = await poll(unit, Buffer.byteLength(log), performing);
    log += seen.log;
    const line = log.split(/[\r\n]/).findLast((text) => text.trim() !== "");
    if (line) await report(mask(line));
    if (seen.state === "0") {
      await machine.run(sh`rm -rf -- ${`${folder}/${unit}`}`);
      return;
    }
    if (seen.state !== "running") {
      const how =
        seen.state === "stopped" ? "was stopped or ran out of time" : `failed with exit code ${seen.state}`;
      throw new StepError(
        mask(`${step.name} ${how}\n${lastLines(log, 20)}\n  whole log: ${folder}/${unit}/log`),
      );
    }
    if (signal.aborted) {
      throw new Interrupted(
        `detached by Ctrl-C: ${unit}.service goes on on ${machine.name}; the next up attaches to it`,
      );
    }
    await sleep(pollMilliseconds);
  }
}
