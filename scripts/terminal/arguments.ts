import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { suggestion } from "#inventory/problems.ts";
import type { Command } from "./commands.ts";

/** The command line is not one we understand; the usage is printed with the message. */
export class UsageError extends Error {
  override name = "UsageError";
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: O; strict: true }>
>["values"];

/** A command line, read. */
export interface Arguments<C extends Command> {
  /** One for each word of the command that is not in brackets, and perhaps that one. */
  readonly words: readonly string[];
  readonly values: Values<C["options"]>;
}

/** Whether the operator asks how a command is called. Behind `--` stands what belongs to another program. */
export function asksForHelp({ words, rest }: Command, argv: readonly string[]): boolean {
  const own = rest === undefined ? argv : argv.slice(0, words.length);
  const end = own.indexOf("--");
  return (end === -1 ? own : own.slice(0, end)).some((word) => word === "--help" || word === "-h");
}

/**
 * Reads the words and options of a command; the stack is always named by the operator, never the one that
 * Pulumi has selected.
 *
 * `npm run drift prod --json` without `--` leaves npm holding the option and us its variable
 * `npm_config_json`; such options count too, for acting on all hosts when `--host` was meant would be worse.
 * Only `--yes` is never taken from there, as npm has a setting of that name.
 */
export function readArguments<C extends Command>(
  { words: names, options }: C,
  argv: readonly string[] = process.argv.slice(2),
  env: NodeJS.ProcessEnv = process.env,
): Arguments<C> {
  const { values, positionals } = parse(options, argv);
  const words = [...positionals];
  const held = heldByNpm(options, values, env);
  for (const name of held.waiting) {
    // npm took the option for a switch, and its value for a word of ours.
    if (held.waiting.length > 1 || words.length !== names.length + 1) {
      throw new UsageError(`npm kept --${name} for itself: write \`--\` before the options`);
    }
    held.values[name] = words.pop() ?? "";
  }
  checkWords(names, words);
  return { words, values: { ...held.values, ...values } as Values<C["options"]> };
}

function checkWords(names: readonly string[], words: readonly string[]): void {
  const missing = names[words.length];
  if (missing !== undefined && !missing.startsWith("[")) throw new UsageError(`name the ${missing}`);
  const others = words.slice(names.length).join(" ");
  if (others !== "" && names.length === 1)
    throw new UsageError(`one ${names[0]} at a time; what is ${others}?`);
  if (others !== "") throw new UsageError(`what is ${others}?`);
  const [i = -1] = words.flatMap((word, index) => (word.startsWith("-") ? [index] : []));
  if (i >= 0) throw new UsageError(`${words[i]} is no name of a ${names[i]}`);
}

function parse(options: Command["options"], argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      strict: true,
      allowPositionals: true,
    });
    return { values: values as Record<string, unknown>, positionals };
  } catch (error) {
    const [what = ""] = (error as Error).message.split(". ");
    const unknown = /^Unknown option '--?(.+)'/.exec(what)?.[1];
    const known = Object.keys(options);
    const near = unknown === undefined || known.length === 0 ? "" : suggestion(unknown, known);
    throw new UsageError(`${what}${near.replace(/(mean |here: )/, "$1--").replaceAll(", ", ", --")}`, {
      cause: error,
    });
  }
}

function heldByNpm(options: ParseArgsOptionsConfig, given: Record<string, unknown>, env: NodeJS.ProcessEnv) {
  const values: Record<string, string | boolean> = {};
  const waiting: string[] = [];
  for (const [name, { type }] of Object.entries(options)) {
    const held = env[`npm_config_${name.replaceAll("-", "_")}`];
    if (!held || name === "yes" || given[name] !== undefined) continue;
    if (type === "string" && held === "true") waiting.push(name);
    else if (type === "string") values[name] = held;
    else if (held === "true") values[name] = true;
  }
  return { values, waiting };
}
