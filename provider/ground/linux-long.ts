import { createHash } from "node:crypto";
import { longFolder as folder, longUnits } from "#provider/contract/linux-steps.ts";
import type { LongStep } from "#provider/contract/step.ts";
import { keyOf, script, sh, shellScript } from "#transport/command.ts";
import type { Finished } from "#transport/host.ts";
import type { LongLook, LongWork } from "./ground.ts";

/** Memory, so that no power cut leaves a secret on a disk. */
const secrets = "/run/gpu-hosts/long";
/** How long a dpkg in work that is to be stopped may take to its end. */
const dpkgSeconds = 900;
/** More than this of a log is not sent at once; what lies before is left out. */
const mostBytes = 32_768;

const startScript = script(import.meta.url, "./start-long.sh");

/** Same key, same unit: that is how a second run finds work that is still going on. */
function unitOf(step: LongStep): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([step.key, keyOf(step.script)]))
    .digest("hex")
    .slice(0, 12);
  return `gpu-hosts-${step.name}-${hash}`;
}

/** What systemd says of an end that was none of success, in the operator's words. */
function describeEnd(result: string, step: LongStep): string {
  const [kind, code, status] = result.split(" ");
  if (kind === "gone") return "is gone without a result: the machine went down; the next up goes on with it";
  if (kind === "timeout") return `ran longer than its limit of ${step.timeoutSeconds} s and was stopped`;
  if (kind === "oom-kill") return "was stopped by the kernel: the machine ran out of memory";
  if (code === "exited") return `failed with exit code ${status}`;
  return `was stopped by signal ${status}: by somebody, or because the machine went down; the next up goes on with it`;
}

function parseLook({ stdout }: Finished, step: LongStep): LongLook {
  const firstEnd = stdout.indexOf("\n");
  const [, result = "gone", size = "0"] = /^(.*) (\d+)$/.exec(stdout.slice(0, firstEnd)) ?? [];
  const log = { size: Number(size), more: stdout.slice(firstEnd + 1) };
  if (result === "running") return { state: "running", ...log };
  if (result === "success exited 0") return { state: "done", ...log };
  return { state: "failed", end: describeEnd(result, step), ...log };
}

/** Long work as a transient unit of systemd. Throws for a script that is no shell text. */
export function longUnitWork(step: LongStep): LongWork {
  if (!("text" in step.script)) {
    throw new Error(
      `${step.name}: ${step.script.script.name} is a PowerShell script, which a Linux host cannot run`,
    );
  }
  const unit = unitOf(step);
  const work = `${folder}/${unit}`;
  const parameters = [unit, longUnits(step.name), folder, secrets, step.timeoutSeconds, dpkgSeconds];
  return {
    name: `${unit}.service`,
    log: `${work}/log`,
    start: shellScript(startScript, [...parameters, step.script.text]),
    startSeconds: dpkgSeconds + 300,
    look: (offset) => ({
      name: "long work",
      timeoutSeconds: 30,
      // `<state> <bytes of the log>` on the first line, then the log. The state is `running`, `gone` or the
      // result of start-long.sh.
      command: sh`cd ${work} 2>/dev/null || { echo gone 0; exit 0; }
state=$(cat result 2>/dev/null) || case $(systemctl show --value --property=ActiveState ${`${unit}.service`}) in
inactive|failed|'') state=$(cat result 2>/dev/null || echo gone) ;;
*) state=running ;;
esac
size=$(stat -c %s log 2>/dev/null || echo 0)
echo "$state $size"
[ $size -le ${offset} ] || head -c $size log | tail -c +${offset + 1} | tail -c ${mostBytes}`,
      parse: (finished) => parseLook(finished, step),
    }),
    clean: sh`rm -rf -- ${work}`,
  };
}
