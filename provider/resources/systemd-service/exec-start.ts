import type { UnitInEffect } from "#facts/unit-in-effect.ts";
import type { Want } from "./inputs.ts";

/** Commands of `ExecStart=` in unit text and drop-ins, in systemd's order; an empty one drops those before. */
function commandsIn(want: Want): readonly string[] {
  const dropIns = Object.entries(want.dropIns).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = [want.unit ?? "", ...dropIns.map(([, one]) => one)].join("\n").replaceAll(/\\\n/g, " ");
  const lines = [...text.matchAll(/^[ \t]*ExecStart[ \t]*=[ \t]*(.*?)[ \t]*$/gm)];
  const commands = lines.map(([, command = ""]) => command);
  return commands.slice(commands.lastIndexOf("") + 1);
}

/** Without what systemd takes away when it reads it: prefixes of the program, quotes and blanks. */
const plain = (command: string) => command.replace(/^[-@:+!|]+/, "").replaceAll(/["'\s]/g, "");

/** Escapes, specifiers and several commands in one line are systemd's to read; nobody is to be wrong about them. */
const isPlain = (command: string) => !/[\\%]|\s;\s|^[^/]*@/.test(command);

/**
 * What differs between the commands that systemd has and those of our text; `undefined`: nothing that can be
 * told. Names no argument, since one may be a secret.
 */
export function differsFromStarts(want: Want, starts: UnitInEffect["starts"]): string | undefined {
  if (want.unit === undefined) return undefined;
  const commands = commandsIn(want);
  if (!commands.every(isPlain)) return undefined;
  if (commands.length !== starts.length)
    return `systemd starts ${starts.length} commands, and the unit has ${commands.length}`;
  const other = starts.find(({ line }, i) => plain(line) !== plain(commands[i] ?? ""));
  return other && `systemd starts ${other.program} in another way than the unit says`;
}
