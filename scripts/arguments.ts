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
  argv: readonly string[] = process.argv.slice(2),
  env: NodeJS.ProcessEnv = process.env,
): Arguments<O> {
  const { values, positionals } = parse(options, argv);
  const words = [...positionals];
  const held = heldByNpm(options, values, env);
  for (const name of held.waiting) {
    // npm took the option for a switch, and its value for a word of ours.
    if (held.waiting.length > 1 || words.length !== 2) {
      throw new UsageError(`npm kept --${name} for itself: write \`--\` before the options`);
    }
    held.values[name] = words.pop() ?? "";
  }
  const [stack, ...others] = words;
  if (stack === undefined) throw new UsageError("name the stack");
  if (others.length > 0) throw new UsageError(`one stack at a time; what is ${others.join(" ")}?`);
  if (stack.startsWith("-")) throw new UsageError(`${stack} is no name of a stack`);
  return { stack, values: { ...held.values, ...values } as Values<O> };
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
