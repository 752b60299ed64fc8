import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * A command ready to run; the system it is sent to decides which kind it takes. Holds no secret (those travel
 * on stdin).
 */
export type Command = ShellCommand | ScriptCall;

/** POSIX shell text; every value in it is already quoted. Built by {@link sh}. */
export interface ShellCommand {
  readonly text: string;
}

/** A script of a file of ours (`.ps1`), and the values that it is handed as JSON. Built by {@link ps}. */
export interface ScriptCall {
  readonly script: Script;
  readonly values: { readonly [name: string]: Json };
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A script file that travels to a host. */
export interface Script {
  /** Name of its file without the extension, for plans and errors: `enable-feature`. */
  readonly name: string;
  readonly text: string;
}

type Word = string | number | readonly (string | number)[] | ShellCommand;

/** Quotes one value as a single POSIX shell word. The only place in the project that does so. */
export function quote(value: string): string {
  if (value.includes("\0")) throw new Error("a shell word cannot hold a NUL byte");
  if (/^[\w@%+=:,./-]+$/.test(value)) return value;
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

function word(value: Word): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return String(value);
  if ("text" in value) return value.text;
  return value.map((item) => quote(String(item))).join(" ");
}

/**
 * Shell text with every interpolation quoted: a string or number becomes one word, an array one word each,
 * another command is put in as it stands. Backslashes are those of any template literal: `\\.` is the shell's
 * `\.`. Never put a secret into a command: argv is public on the host. Use `stdin`.
 */
export function sh(strings: TemplateStringsArray, ...values: readonly Word[]): ShellCommand {
  const text = strings.reduce((all, part, i) => all + word(values[i - 1] ?? []) + part);
  return { text: text.trim() };
}

/**
 * Text that goes into {@link sh} as it stands, past its quoting: a pattern that the shell is to expand. No
 * value of anybody else's.
 */
export const raw = (text: string): ShellCommand => ({ text });

/** Reads a script that lies beside a module of ours: `script(import.meta.url, "./fetch.sh")`. */
export function script(beside: string, path: string): Script {
  const file = fileURLToPath(new URL(path, beside));
  return { name: basename(file).replace(/\.\w+$/, ""), text: readFileSync(file, "utf8") };
}

/** A `.sh` file as a command; the words are its positional parameters, `$1` first. */
export const shellScript = ({ text }: Script, words: readonly (string | number)[] = []): ShellCommand =>
  sh`set -- ${words}
${raw(text)}`;

/** A call of a `.ps1` file. Never a secret among the values: they are logged where script blocks are. */
export const ps = (script: Script, values: ScriptCall["values"] = {}): ScriptCall => ({ script, values });

/** A command in one text, for plans, progress and errors. */
export const shownCommand = (command: Command): string =>
  "text" in command ? command.text : `${command.script.name} ${JSON.stringify(command.values)}`;

/** Tells commands apart: two of the same key do the same. */
export const keyOf = (command: Command): string =>
  "text" in command ? command.text : `${command.script.text}\n${JSON.stringify(command.values)}`;
