import { askGpus, waitGpus } from "#facts/nvidia-smi.ts";
import { showUnit, type Unit } from "#facts/systemd.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { askHttp, waitHttp } from "./openai.ts";
import type { Probe, Verdict } from "./probe.ts";

function judgeUnit(unit: Unit): Verdict {
  const text = `${unit.active} (${unit.sub})`;
  if (unit.active === "active") return { state: "ok", text };
  const starting = unit.active === "activating" || unit.active === "reloading";
  return { state: starting ? "not yet" : "failed", text: unit.load === "loaded" ? text : unit.load };
}

/** A probe as a question to the host it is about. */
export function askProbe(probe: Probe): Fact<Verdict> {
  switch (probe.kind) {
    case "completion":
    case "http":
      return askHttp(probe);
    case "gpu":
      return askGpus(probe);
    case "unit": {
      const shown = showUnit(probe.unit);
      return { ...shown, parse: (finished) => judgeUnit(shown.parse(finished)) };
    }
  }
}

/**
 * The same probe as the command of a `wait` step: exit 0 ok, 75 not yet, other failed; last line: what was
 * seen.
 */
export function waitProbe(probe: Probe): ShellCommand {
  switch (probe.kind) {
    case "completion":
    case "http":
      return waitHttp(probe);
    case "gpu":
      return waitGpus(probe);
    case "unit":
      return sh`state=$(systemctl is-active ${probe.unit}); echo "$state"
case $state in active) exit 0 ;; activating|reloading) exit 75 ;; *) exit 1 ;; esac`;
  }
}

/** A probe in one phrase, for progress and reports. */
export function shownProbe(probe: Probe): string {
  switch (probe.kind) {
    case "completion":
      return `${probe.url} to answer a completion of ${probe.model}`;
    case "http":
      return `${probe.url} to answer HTTP ${probe.status}`;
    case "unit":
      return `${probe.unit} to be active`;
    case "gpu":
      return probe.minimum === 1 ? "a GPU to answer" : `${probe.minimum} GPUs to answer`;
  }
}
