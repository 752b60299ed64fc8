import { type Command, sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

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

function parseUnit(stdout: string): Unit {
  const lines = stdout.split("\n").filter((line) => line.includes("="));
  const values = new Map(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const value = (key: string) => values.get(key) ?? "";
  if (value("LoadState") === "") throw new Error("systemctl show did not say whether the unit is loaded");
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
  };
}

/** State of one unit; an unknown unit is an answer (`load: "not-found"`), not an error. */
export const showUnit = (name: string): Fact<Unit> => ({
  name: `systemctl show ${name}`,
  // `systemctl --timestamp=unix` came with systemd 251; a time zone in the environment is older than all of them.
  command: sh`date +now=%s; TZ=UTC systemctl show ${name} --property=${properties.join(",")}`,
  parse: ({ stdout }) => parseUnit(stdout),
});

/** A small text file and what `stat` says of it. */
export interface TextFile {
  readonly text: string;
  /** Octal digits without leading zero, such as `600`. */
  readonly mode: string;
  readonly owner: string;
  /** Last change of the content, seconds since 1970. */
  readonly changed: number;
}

/** The unit's own file in /etc, its drop-ins there and any of `more` that exist, by path. */
export const unitFiles = (name: string, more: readonly string[]): Fact<ReadonlyMap<string, TextFile>> => {
  const file = `/etc/systemd/system/${name}`;
  return {
    name: `files of ${name}`,
    command: sh`for f in ${file} ${`${file}.d`}/*.conf ${more}; do [ -f "$f" ] || continue
stat -Lc '%a %U:%G %Y %n' -- "$f" && base64 -w0 <"$f" && echo; done; true`,
    parse: ({ stdout }) => {
      const files = new Map<string, TextFile>();
      const lines = stdout.split("\n");
      for (let i = 0; i + 1 < lines.length; i += 2) {
        const [, mode = "", owner = "", changed, path = ""] =
          /^(\d+) (\S+) (\d+) (.*)$/.exec(lines[i] ?? "") ?? [];
        if (path === "") throw new Error(`not the line of a file: ${lines[i]}`);
        const text = Buffer.from(lines[i + 1] ?? "", "base64").toString("utf8");
        files.set(path, { text, mode, owner, changed: Number(changed) });
      }
      return files;
    },
  };
};

/** What helps to understand why a unit does not run. */
export const journalOf = (name: string, lines = 30): Command =>
  sh`journalctl --unit=${name} --lines=${lines} --no-pager --quiet`;
