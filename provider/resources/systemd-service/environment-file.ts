/** Renders what EnvironmentFile= of systemd reads: one quoted value a line, in the order of the keys. */
export function renderEnvironment(variables: Readonly<Record<string, string>>): string {
  const line = ([name, value]: [string, string]) => `${name}="${value.replaceAll(/["\\`$]/g, "\\$&")}"\n`;
  return Object.entries(variables).sort().map(line).join("");
}

/**
 * Reads such a file as systemd does, hand edits included: comments, values without quotes, with single or
 * double quotes. Continued lines are not joined; we never write one.
 */
export function parseEnvironment(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, raw = ""] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = unquoted(raw);
  }
  return variables;
}

function unquoted(raw: string): string {
  if (/^'.*'$/.test(raw)) return raw.slice(1, -1);
  if (/^".*"$/.test(raw)) return raw.slice(1, -1).replaceAll(/\\(["\\`$])/g, "$1");
  return raw.replaceAll(/\\(.)/g, "$1");
}
