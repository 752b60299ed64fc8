import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The command line is not one we understand; the usage is printed with the message. */
export class UsageError extends Error {
  override name = "UsageError";
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: O; strict: true }>
>["values"];

export interface Arguments<O extends ParseArgsOptionsConfig> {
  /** The stack, always named by the operator and never the one Pulumi has selected. */
  readonly stack: string;
  readonly values: Values<O>;
}

/**
 * Reads `<stack> [options]`. `npm run drift prod --json` without `--` leaves npm holding the option and us its variable
 * `npm_config_json`; such options count too, for acting on all hosts when `--host` was meant would be worse. Only `--yes`
 * is never taken from there, as npm has a setting of that name.
 */
export function readArguments<O extends ParseArgsOptionsConfig>(
  options: O,
  argv?: readonly string[],
  env?: NodeJS.ProcessEnv,
): Arguments<O> {
  const { words, values } = readWords(["stack"], options, argv, env);
  return { stack: words[0] ?? "", values };
}

/**
 * Like {@link readArguments}, for commands that take other words than the stack alone.
 * @param names what the words are, for messages; one in brackets may be left out, and is then the last
 */
export function readWords<O extends ParseArgsOptionsConfig>(
  names: readonly string[],
  options: O,
  argv: readonly string[] = process.argv.slice(2),
  env: NodeJS.ProcessEnv = process.env,
): { readonly words: readonly string[]; readonly values: Values<O> } {
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
  const missing = names[words.length];
  if (missing !== undefined && !missing.startsWith("[")) throw new UsageError(`name the ${missing}`);
  const others = words.slice(names.length).join(" ");
  if (others !== "" && names.length === 1)
    throw new UsageError(`one ${names[0]} at a time; what is ${others}?`);
  if (others !== "") throw new UsageError(`what is ${others}?`);
  const [i = -1] = words.flatMap((word, index) => (word.startsWith("-") ? [index] : []));
  if (i >= 0) throw new UsageError(`${words[i]} is no name of a ${names[i]}`);
  return { words, values: { ...held.values, ...values } as Values<O> };
}

function parse<O extends ParseArgsOptionsConfig>(options: O, argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      strict: true,
      allowPositionals: true,
    });
    return { values: values as Record<string, unknown>, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message.split(". ")[0] ?? "", { cause: error });
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
