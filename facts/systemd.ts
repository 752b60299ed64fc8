import { type ShellCommand, sh } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { base64, linesOf, partsOf } from "./lines.ts";

/** A unit as systemd sees it. */
export interface Unit {
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly load: string;
  /** `active`, `activating`, `inactive`, `failed`, `deactivating`, `reloading`. */
  readonly active: string;
  /** Finer state: `running`, `start-pre`, `auto-restart` … */
  readonly sub: string;
  /** `enabled`, `disabled`, `static`, `masked`, `enabled-runtime` … */
  readonly file: string;
  /** A file of the unit changed after systemd read it. */
  readonly needsReload: boolean;
  /** How the last run ended: `success`, `exit-code`, `signal`, `oom-kill`, `start-limit-hit` … */
  readonly result: string;
  /** Exit code of the last main process. */
  readonly exitStatus: number;
  /** Restarts by systemd itself since the last start that somebody asked for. */
  readonly restarts: number;
  /** A start or stop is queued or under way. */
  readonly queued: boolean;
  /** When the present run began (its first ExecStartPre), seconds since 1970 by the host's clock. */
  readonly began: number | undefined;
  /** The host's clock when it was asked, seconds since 1970. */
  readonly now: number;
  /**
   * Value of the environment variable that was asked for, as a process of the unit has it; `undefined` if
   * none shows it.
   */
  readonly started: string | undefined;
}

const properties = [
  "LoadState",
  "ActiveState",
  "SubState",
  "UnitFileState",
  "NeedDaemonReload",
  "Result",
  "ExecMainStatus",
  "NRestarts",
  "Job",
  "InactiveExitTimestamp",
];

/** `Sat 2026-11-21 09:12:31 UTC` in seconds since 1970. */
function seconds(timestamp: string): number | undefined {
  const found = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(timestamp);
  return found ? Date.parse(`${found[1]}T${found[2]}Z`) / 1000 : undefined;
}

/** Those that a unit of every kind has. */
const always = ["ActiveState", "SubState", "UnitFileState"];

function parseUnit(finished: Finished): Unit {
  // sed -z ends what it prints with a NUL, behind the line's end.
  const stdout = finished.stdout.replace(/\0$/, "");
  const lines = linesOf({ ...finished, stdout }).filter((line) => line.includes("="));
  const values = new Map(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const value = (key: string) => values.get(key) ?? "";
  if (value("LoadState") === "") throw new Error("systemctl show did not say whether the unit is loaded");
  const untold = always.find((key) => !values.has(key));
  if (untold !== undefined) throw new Error(`systemctl show did not say ${untold}`);
  return {
    load: value("LoadState"),
    active: value("ActiveState"),
    sub: value("SubState"),
    file: value("UnitFileState"),
    needsReload: value("NeedDaemonReload") === "yes",
    result: value("Result"),
    exitStatus: Number(value("ExecMainStatus") || 0),
    restarts: Number(value("NRestarts") || 0),
    queued: value("Job") !== "" && value("Job") !== "0",
    began: seconds(value("InactiveExitTimestamp")),
    now: Number(value("now")),
    started: values.get("started"),
  };
}

/**
 * Looks for a variable in the environment of a unit's processes and prints `started=<value>`. The main
 * process is asked first, then the others of its control group: a program that writes its title over its
 * environment (setproctitle) hides its own. Takes all it needs of the unit out of `$show`: each systemctl
 * costs a small host as much as ten other processes.
 */
const lookFor = (variable: string): ShellCommand => sh`nl='
'
get() { value=$nl$show; value=\${value##*"$nl$1="}; value=\${value%%"$nl"*}; }
look() {
  [ "\${1:-0}" != 0 ] || return
  sed -zn ${`/^${variable}=/{s///;s/.*/started=&\\n/;p;q 5}`} "/proc/$1/environ" 2>/dev/null
  [ $? = 5 ]
}
get MainPID; look "$value" && exit 0
get ControlPID; look "$value" && exit 0
get ControlGroup; [ -n "$value" ] || exit 0
left=64
for procs in "/sys/fs/cgroup$value/cgroup.procs" "/sys/fs/cgroup/systemd$value/cgroup.procs"; do
  [ -r "$procs" ] || continue
  while [ $left -gt 0 ] && read -r pid; do left=$((left - 1)); look "$pid" && exit 0; done <"$procs"
done; exit 0`;

/**
 * State of one unit; an unknown unit is an answer (`load: "not-found"`), not an error.
 * @param variable of the environment with which its processes were started, to be told as `started`
 */
export const showUnit = (name: string, variable?: string): Fact<Unit> => {
  const processes = variable === undefined ? [] : ["MainPID", "ControlPID", "ControlGroup"];
  return {
    name: `systemctl show ${name}`,
    // `systemctl --timestamp=unix` came with systemd 251; a time zone in the environment is older than all of
    // them.
    command: sh`show=$(TZ=UTC systemctl show --property=${[...properties, ...processes].join(",")} -- ${name}) || exit
date +now=%s; printf '%s\\n' "$show"
${variable === undefined ? [] : lookFor(variable)}`,
    parse: parseUnit,
  };
};

/** A small text file and what `stat` says of it. */
export interface TextFile {
  readonly text: string;
  /** Octal digits without leading zero, such as `600`. */
  readonly mode: string;
  readonly owner: string;
  /** Last change of the content, seconds since 1970. */
  readonly changed: number;
}

/** A user or a group may hold blanks, and so may a path. */
const statLine = /^([0-7]{1,4}) ([^:]+:.+?) (\d+) (\/.*)$/;

/** The unit's own file in /etc, its drop-ins there and any of `more` that exist, by path. */
export const unitFiles = (name: string, more: readonly string[]): Fact<ReadonlyMap<string, TextFile>> => {
  const file = `/etc/systemd/system/${name}`;
  return {
    name: `files of ${name}`,
    command: sh`for f in ${file} ${`${file}.d`}/*.conf ${more}; do [ -f "$f" ] || continue
stat -Lc '%a %U:%G %Y %n' -- "$f" && base64 -w0 <"$f" && echo; done; true`,
    parse: (finished) => {
      const files = new Map<string, TextFile>();
      const lines = linesOf(finished);
      for (let i = 0; i < lines.length; i += 2) {
        const [mode = "", owner = "", changed, path = ""] = partsOf(lines[i] ?? "", statLine, "a file");
        const [content = ""] = partsOf(lines[i + 1] ?? "(none)", base64, "a file's content");
        const text = Buffer.from(content, "base64").toString("utf8");
        files.set(path, { text, mode, owner, changed: Number(changed) });
      }
      return files;
    },
  };
};

/** What helps to understand why a unit does not run. */
export const journalOf = (name: string, lines = 30): ShellCommand =>
  sh`journalctl --unit=${name} --lines=${lines} --no-pager --quiet`;

/** What the present run of a unit said last; empty if nothing yet. */
export const lastLineOf = (name: string): Fact<string> => ({
  name: `last line of ${name}`,
  command: sh`run=$(systemctl show --property=InvocationID --value -- ${name}) || exit
[ -z "$run" ] || journalctl "_SYSTEMD_INVOCATION_ID=$run" --lines=1 --output=cat --no-pager --quiet; true`,
  parse: (finished) => linesOf(finished).at(-1)?.slice(0, 300) ?? "",
});
