import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type LongStep, longUnits } from "#provider/contract/step.ts";
import { keyOf, raw, sh } from "#transport/command.ts";
import { HostError, type HostErrorKind, lastLines } from "#transport/errors.ts";
import { Interrupted, type Performing, StepError } from "./failure.ts";

const folder = "/var/lib/gpu-hosts/long";
/** Memory, so that no power cut leaves a secret on a disk. */
const secrets = "/run/gpu-hosts/long";

/** Same key, same unit: that is how a second run finds work that is still going on. */
function unitOf(step: LongStep): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([step.key, keyOf(step.script)]))
    .digest("hex")
    .slice(0, 12);
  return `gpu-hosts-${step.name}-${hash}`;
}

/** How long a dpkg in work that is to be stopped may take to its end. */
const dpkgSeconds = 900;

/**
 * Starts the work unless it runs already; work of the same name with other inputs is stopped first. A running dpkg is
 * waited for, since a package database is worse to repair than some minutes are to lose.
 *
 * The work's end is written down by systemd (ExecStopPost), which also knows of a time limit, a signal or lack of memory.
 */
function start(step: LongStep, unit: string) {
  const work = `${folder}/${unit}`;
  const secret = `${secrets}/${unit}`;
  const pattern = longUnits(step.name);
  return sh`case $(systemctl show --value --property=ActiveState ${`${unit}.service`}) in active|activating) exit 0 ;; esac
for other in $(systemctl list-units --plain --no-legend --all ${`${pattern}.service`} | cut -d' ' -f1); do
  waited=0
  while grep -qxs dpkg $(sed 's|.*|/proc/&/comm|' "/sys/fs/cgroup/system.slice/$other/cgroup.procs" 2>/dev/null) /dev/null; do
    [ $waited -lt ${dpkgSeconds} ] || { echo "a dpkg runs in $other for more than ${dpkgSeconds} s, and work with other inputs cannot begin before it ends. Look at it: systemctl status $other" >&2; exit 1; }
    [ $((waited % 10)) -ne 0 ] || echo "waiting for the dpkg in $other, which is to be stopped"
    waited=$((waited + 1)); sleep 1
  done
  systemctl stop "$other"
done
cd ${folder} 2>/dev/null && rm -rf -- ./${raw(pattern)}
cd ${secrets} 2>/dev/null && rm -f -- ./${raw(pattern)}
umask 077 && mkdir -p ${work} ${secrets} && cd ${work} || exit 1
trap 'rm -f -- ${secret}; exit 1' HUP INT TERM
cat > script <<'GPU_HOSTS_SCRIPT'
${step.script}
GPU_HOSTS_SCRIPT
cat > main <<'GPU_HOSTS_MAIN'
export LC_ALL=C HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec < ${secret} > log 2>&1
rm -f -- ${secret}
exec sh ./script
GPU_HOSTS_MAIN
cat > end <<'GPU_HOSTS_END'
rm -f -- ${secret}
echo "$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS" > result.new
mv result.new result
GPU_HOSTS_END
systemctl reset-failed ${`${unit}.service`} 2>/dev/null
cat > ${secret} && systemd-run --quiet --collect --unit=${unit} --working-directory=${work} --property=RuntimeMaxSec=${step.timeoutSeconds} \
  --property='ExecStopPost=/bin/sh ./end' sh ./main || { rm -f -- ${secret}; exit 1; }`;
}

/** More than this of a log is not sent at once; what lies before is left out. */
const mostBytes = 32_768;

/** `<state> <bytes of the log>` on the first line, then the log from an offset on. The state is `running`, `gone` or {@link start}'s `result`. */
const look = (unit: string, offset: number) =>
  sh`cd ${`${folder}/${unit}`} 2>/dev/null || { echo gone 0; exit 0; }
state=$(cat result 2>/dev/null) || case $(systemctl show --value --property=ActiveState ${`${unit}.service`}) in
inactive|failed|'') state=$(cat result 2>/dev/null || echo gone) ;;
*) state=running ;;
esac
size=$(stat -c %s log 2>/dev/null || echo 0)
echo "$state $size"
[ $size -le ${offset} ] || head -c $size log | tail -c +${offset + 1} | tail -c ${mostBytes}`;

const pollMilliseconds = 700;
/** A lost connection is only a reason to look again, for as long as a machine takes to reboot or a network to come back. */
const patienceSeconds = 600;
const passing: readonly HostErrorKind[] = ["lost", "timeout", "unreachable"];

interface Seen {
  readonly state: string;
  readonly size: number;
  /** What the log got since the last look. */
  readonly more: string;
}

function parse(stdout: string): Seen {
  const end = stdout.indexOf("\n");
  const [, state = "gone", size = "0"] = /^(.*) (\d+)$/.exec(stdout.slice(0, end)) ?? [];
  return { state, size: Number(size), more: stdout.slice(end + 1) };
}

async function poll(unit: string, offset: number, performing: Performing): Promise<Seen> {
  const { machine, report, signal } = performing;
  const deadline = Date.now() + patienceSeconds * 1000;
  for (;;) {
    try {
      return parse((await machine.run(look(unit, offset), { timeoutSeconds: 30 })).stdout);
    } catch (error) {
      if (!(error instanceof HostError) || !passing.includes(error.kind)) throw error;
      if (Date.now() > deadline) {
        throw new StepError(
          `${error.what}\n  ${unit}.service goes on on the machine if that still runs; the next up attaches to it`,
        );
      }
      await report(`the connection is lost, the work goes on without it: ${error.what.split("\n")[0]}`);
      await sleep(1000);
      demandNoBrake(unit, machine.name, signal);
    }
  }
}

function demandNoBrake(unit: string, host: string, signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new Interrupted(
    `detached by Ctrl-C: ${unit}.service goes on on ${host}; the next up attaches to it, and stops it if its inputs changed`,
  );
}

/** What systemd says of an end that was none of success, in the operator's words. */
function ended(state: string, step: LongStep): string {
  const [result, code, status] = state.split(" ");
  if (result === "gone")
    return "is gone without a result: the machine went down; the next up goes on with it";
  if (result === "timeout") return `ran longer than its limit of ${step.timeoutSeconds} s and was stopped`;
  if (result === "oom-kill") return "was stopped by the kernel: the machine ran out of memory";
  if (code === "exited") return `failed with exit code ${status}`;
  return `was stopped by signal ${status}: by somebody, or because the machine went down; the next up goes on with it`;
}

const shownLines = 8;

/** Lines with something in them, each once where it comes again and again. */
const textLines = (text: string): string[] =>
  text.split(/[\r\n]+/).filter((line, i, all) => line.trim() !== "" && line !== all[i - 1]);

/** Starts a long step or attaches to it, shows its log as progress, and fails as it fails. */
export async function followLong(step: LongStep, performing: Performing): Promise<void> {
  const { machine, mask, report, signal } = performing;
  const unit = unitOf(step);
  const started = await machine.run(start(step, unit), {
    stdin: step.stdin ?? "",
    timeoutSeconds: dpkgSeconds + 300,
    onLine: (line) => void report(mask(line)),
  });
  if (started.exitCode !== 0) {
    throw new StepError(mask(`could not start ${unit} on the host\n${lastLines(started.stderr)}`));
  }
  let offset = 0;
  let tail = "";
  let shown: string | undefined;
  for (;;) {
    const { state, size, more } = await poll(unit, offset, performing);
    offset = size;
    // The last line may be only half there; it is shown once more when it is whole.
    const begun = tail.slice(tail.lastIndexOf("\n") + 1);
    for (const line of textLines(begun + more).slice(-shownLines)) {
      if (line !== shown) await report(mask(line));
      shown = line;
    }
    tail = (tail + more).slice(-mostBytes);
    if (state === "success exited 0") {
      await machine.run(sh`rm -rf -- ${`${folder}/${unit}`}`);
      return;
    }
    if (state !== "running") {
      throw new StepError(
        mask(
          `${step.name} ${ended(state, step)}\n${lastLines(textLines(tail).join("\n"), 20)}\n  whole log: ${folder}/${unit}/log`,
        ),
      );
    }
    demandNoBrake(unit, machine.name, signal);
    await sleep(pollMilliseconds);
  }
}
