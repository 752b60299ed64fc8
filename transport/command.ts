/** A command ready to run. Built by {@link sh}; holds no secret (those travel on stdin). */
export interface Command {
  /** POSIX shell text; every value in it is already quoted. */
  readonly text: string;
}

type Word = string | number | readonly (string | number)[] | Command;

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
 * Shell text with every interpolation quoted: a string or number becomes one word, an array one word each, another
 * command is put in as it stands. Backslashes are those of any template literal: `\\.` is the shell's `\.`. Never put a
 * secret into a command: argv is public on the host. Use `stdin`.
 */
export function sh(strings: TemplateStringsArray, ...values: readonly Word[]): Command {
  const text = strings.reduce((all, part, i) => all + word(values[i - 1] ?? []) + part);
  return { text: text.trim() };
}
