import { reconnect, run, type Step } from "#provider/contract/step.ts";
import { type ShellCommand, sh } from "#transport/command.ts";

/**
 * Where a change keeps what it goes back to; gone after a reboot, as are rules that were not proven by then.
 */
export const workFolder = "/run/gpu-hosts-firewall";

const unit = "gpu-hosts-firewall-revert";
export const revertTimer = `${unit}.timer`;

/**
 * Seconds until rules that nobody could connect under are taken back; longer than a new connection may take.
 */
const revertSeconds = 60;

/**
 * A timer that is pending already belongs to rules of a run that was cut off: what that run saved stays the
 * state to go back to.
 */
const arm = (save: ShellCommand, restore: ShellCommand): ShellCommand => sh`cd ${workFolder} || exit 1
if systemctl is-active --quiet ${revertTimer}; then systemctl stop ${revertTimer}; else { ${save}; } || exit 1; fi
systemctl reset-failed ${`${unit}.service`} 2>/dev/null
exec systemd-run --quiet --collect --unit=${unit} --on-active=${revertSeconds} --timer-property=AccuracySec=1s sh -c ${restore.text}`;

const disarm = sh`if ! systemctl stop ${revertTimer}; then
  echo 'the machine has taken the new rules back, because no new connection came through within ${revertSeconds} s' >&2
  exit 1
fi
rm -rf -- ${workFolder}`;

/**
 * Changes rules so that a mistake that shuts us out undoes itself: saves, arms a timer on the machine,
 * changes, and disarms it over a connection that was opened under the new rules.
 */
export function* revertible(
  save: ShellCommand,
  restore: ShellCommand,
  change: Iterable<Step>,
): Generator<Step> {
  yield run(arm(save, restore), {
    title: `have the machine take the rules back in ${revertSeconds} s unless they prove good`,
  });
  yield* change;
  yield reconnect("the new firewall rules must let us in");
  yield run(disarm, { title: "keep the new rules" });
}
