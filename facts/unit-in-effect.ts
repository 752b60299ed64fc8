import { script, shellScript } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { base64, linesOf, partsOf } from "./lines.ts";

/** A file that systemd reads for a unit. */
interface UnitFile {
  readonly type: "file" | "symlink" | "other";
  /** Octal digits without leading zero, such as `644`. */
  readonly mode: string;
  /** `user:group`. */
  readonly owner: string;
  /** Last change of the inode, seconds since 1970. */
  readonly changed: number;
  /** Target of a symlink. */
  readonly target?: string;
  /** What is read from it, through a symlink too. */
  readonly text: string;
  /** Whether systemd has read it; else it waits for a daemon-reload. */
  readonly merged: boolean;
}

/** A unit as systemd really has it, whatever stands in our own file of it. */
export interface UnitInEffect {
  /** `loaded`, `not-found`, `masked` … */
  readonly load: string;
  /** File it was read from; empty if there is none. */
  readonly fragment: string;
  /** Drop-ins that are merged into it, in their order. */
  readonly dropIns: readonly string[];
  /** A file of it changed after systemd read it. */
  readonly needsReload: boolean;
  /** Made by a call (`systemd-run`), not by a file of somebody. */
  readonly transient: boolean;
  /**
   * Commands that it starts with, as systemd has them: the program, and its arguments with the program first,
   * blanks between.
   */
  readonly starts: readonly { readonly program: string; readonly line: string }[];
  /** Its fragment and drop-ins, and all that would be with the next daemon-reload, by path. */
  readonly files: ReadonlyMap<string, UnitFile>;
}

/** Where systemd looks for a unit and its drop-ins (systemd.unit(5)). */
const folders = [
  "/etc/systemd/system.control",
  "/run/systemd/system.control",
  "/run/systemd/transient",
  "/run/systemd/generator.early",
  "/etc/systemd/system",
  "/etc/systemd/system.attached",
  "/run/systemd/system",
  "/run/systemd/system.attached",
  "/run/systemd/generator",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/run/systemd/generator.late",
];

/**
 * Names under which a unit's drop-ins may stand: its own, its template's, those of each dash in it, that of
 * its kind.
 */
function dropInNames(unit: string): readonly string[] {
  const dot = unit.lastIndexOf(".");
  const [stem, kind] = [unit.slice(0, dot), unit.slice(dot)];
  const template = stem.includes("@") ? [`${stem.slice(0, stem.indexOf("@") + 1)}${kind}`] : [];
  const prefixes = [...stem.matchAll(/-(?=.)/g)].map(({ index }) => `${stem.slice(0, index + 1)}${kind}`);
  return [unit, ...template, ...prefixes, kind.slice(1)];
}

const source = script(import.meta.url, "./unit-in-effect.sh");

/**
 * How systemd has a unit: what it read, merged and runs, wherever that stands. Values of its environment are
 * not asked for, but a drop-in's text comes as it is.
 */
export const unitInEffect = (unit: string): Fact<UnitInEffect> => ({
  name: `systemctl show ${unit} and its files`,
  command: shellScript(source, [
    unit,
    ...folders.flatMap((folder) => [
      `${folder}/${unit}`,
      ...dropInNames(unit).map((name) => `${folder}/${name}.d`),
    ]),
  ]),
  parse: parseUnitInEffect,
});

const property = /^([A-Z]\w+)=(.*)$/;
const start = /^\{ path=(.*?) ; argv\[\]=(.*) ; ignore_errors=(?:yes|no) ; .*\}$/;
const fileLine = /^file\t([a-z ]+)\t([0-7]{1,4})\t([^\t]+:[^\t]+)\t(\d+)\t([^\t]*)\t([^\t]*)\t(\/.*)$/;

function parseUnitInEffect(finished: Finished): UnitInEffect {
  const lines = linesOf(finished);
  const properties = lines
    .filter((line) => !line.startsWith("file\t"))
    .map((line) => partsOf(line, property, "a unit's property"));
  const value = (key: string): string => {
    const found = properties.find(([name]) => name === key)?.[1];
    if (found === undefined) throw new Error(`systemctl show did not say ${key}`);
    return found;
  };
  const fragment = value("FragmentPath");
  const dropIns = value("DropInPaths")
    .split(" ")
    .filter((path) => path !== "");
  const merged = new Set([fragment, ...dropIns]);
  return {
    load: value("LoadState"),
    fragment,
    dropIns,
    needsReload: value("NeedDaemonReload") === "yes",
    transient: value("Transient") === "yes",
    starts: properties
      .filter(([name, text]) => name === "ExecStart" && text !== "")
      .map(([, text = ""]) => {
        const [program = "", line = ""] = partsOf(text, start, "a command of a unit");
        return { program, line };
      }),
    files: new Map(lines.filter((line) => line.startsWith("file\t")).map((line) => parseFile(line, merged))),
  };
}

function parseFile(text: string, merged: ReadonlySet<string>): readonly [string, UnitFile] {
  const [type = "", mode = "", owner = "", changed, target = "", content = "", path = ""] = partsOf(
    text,
    fileLine,
    "a unit's file",
  );
  partsOf(content, base64, "a file's content");
  const types = { "symbolic link": "symlink", "regular file": "file", "regular empty file": "file" } as const;
  const known = type in types ? types[type as keyof typeof types] : "other";
  return [
    path,
    {
      type: known,
      mode,
      owner,
      changed: Number(changed),
      ...(known === "symlink" ? { target } : {}),
      text: Buffer.from(content, "base64").toString("utf8"),
      merged: merged.has(path),
    },
  ];
}
