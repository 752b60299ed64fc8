import { waitHttp } from "#facts/probes/openai.ts";
import { listenerFunctions } from "#facts/ss.ts";
import { journalOf } from "#facts/systemd.ts";
import { type WaitStep, wait } from "#provider/contract/step.ts";
import { type ShellCommand, sh } from "#transport/command.ts";
import type { Readiness, Want } from "./inputs.ts";

/**
 * Restarts by systemd that are forgiven while a service starts: a group's members may come up in any order.
 */
const forgivenRestarts = 2;

/**
 * The service's own answer: exit 0 ready, 75 not yet, other: it will not be. The last line says what was
 * seen.
 */
function question(name: string, readiness: Readiness): ShellCommand {
  switch (readiness.kind) {
    case "active":
      // A program that does not start well is active for a moment, too.
      return sh`[ "$(get SubState)" != running ] || { sleep 2; look; }`;
    case "completion":
    case "http":
      return waitHttp(readiness);
    case "tcp":
      return sh`listens ${name} ${readiness.port} && exit 0
echo ${`nothing listens on port ${readiness.port} yet`}"\${line:+; it says: $line}"; exit 75`;
    case "command":
      return sh`answer=$(timeout 50 ${readiness.argv} 2>&1) && exit 0
printf '%s\\n' "$answer" | tail -n 1; exit 75`;
  }
}

function shownReadiness(name: string, readiness: Readiness): string {
  switch (readiness.kind) {
    case "active":
      return `${name} to be active`;
    case "completion":
      return `${name} to answer a completion of ${readiness.model}`;
    case "http":
      return `${name} to answer HTTP ${readiness.status} at ${readiness.url}`;
    case "tcp":
      return `${name} to listen on port ${readiness.port}`;
    case "command":
      return `${name} to pass \`${readiness.argv.join(" ")}\``;
  }
}

/** Port on the machine itself that the service must listen on to be ready. */
export function portOf(readiness: Readiness): number | undefined {
  if (readiness.kind === "tcp") return readiness.port;
  if (readiness.kind !== "completion" && readiness.kind !== "http") return undefined;
  const { hostname, port, protocol } = new URL(readiness.url);
  if (!["127.0.0.1", "localhost", "[::1]"].includes(hostname)) return undefined;
  return Number(port || (protocol === "https:" ? 443 : 80));
}

/**
 * Waits until a unit that was just started serves. A unit that fails, stops or restarts again and again ends
 * the waiting at once; one whose ExecStartPre waits for other hosts is on its way. Progress is the last line
 * it said; once it answers, its answer is: a server may log every question, and that would never run out of
 * time. An answer on its port from a process that is not the unit's proves nothing, and is told.
 */
export function waitUntilReady(want: Want): WaitStep {
  const readiness = want.readiness ?? { kind: "active", deadlineSeconds: 1200 };
  const { name } = want;
  const port = portOf(readiness);
  return wait({
    what: shownReadiness(name, readiness),
    deadlineSeconds: readiness.deadlineSeconds,
    intervalSeconds: 1,
    explain: journalOf(name),
    hint: `once its cause is removed, run \`up\` again; more of what it said: journalctl -u ${name} on the machine`,
    command: sh`${port === undefined ? sh`stranger() { false; }` : listenerFunctions}
get() { printf '%s\\n' "$state" | sed -n "s/^$1=//p"; }
ended() {
  case $(get ExecMainCode) in
  1) printf ', the last run ended with exit status %s' "$(get ExecMainStatus)" ;;
  2|3) printf ', the last run was ended by SIG%s (%s)' "$(kill -l "$(get ExecMainStatus)")" "$(get Result)" ;;
  esac
}
look() {
  state=$(systemctl show --property=ActiveState,SubState,NRestarts,Result,Job,InvocationID,ExecMainCode,ExecMainStatus -- ${name})
  line=$(journalctl "_SYSTEMD_INVOCATION_ID=$(get InvocationID)" --lines=1 --output=cat --no-pager --quiet 2>/dev/null | tail -n 1 | cut -c 1-160)
  restarts=$(get NRestarts); job=$(get Job); taken=$(stranger ${name} ${port ?? 0})
  last="\${line:+: $line}\${taken:+; $taken}"
  [ "\${restarts:-0}" -le ${forgivenRestarts} ] || { echo "it was restarted $restarts times$(ended)$last"; exit 1; }
  if [ "\${job:-0}" != 0 ]; then echo "starting, $(get SubState): $line"; exit 75; fi
  case $(get ActiveState) in
  active) ;;
  failed|inactive) echo "it is $(get ActiveState) ($(get Result))$(ended)$last"; exit 1 ;;
  *) echo "starting, $(get SubState)$last"; exit 75 ;;
  esac
  [ -z "$taken" ] || { echo "$taken"; exit 75; }
}
look
${question(name, readiness)}`,
  });
}
