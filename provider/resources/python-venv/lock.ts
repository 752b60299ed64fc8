/** Requirements of a lock: lines joined where one goes on, comments left out. */
const requirementsOf = (text: string): readonly string[] =>
  text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");

const pinned =
  /^[A-Za-z0-9][\w.-]*(\[[\w,.-]+\])?( @ https?:\/\/\S+|\s*==\s*[\w.+!-]+)(\s*;[^'"\\]*(?:(?:'[^']*'|"[^"]*")[^'"\\]*)*)?$/;

/** What is wrong with the first line that could bring something else than it names; `undefined`: nothing. */
export function lockProblem(text: string): string | undefined {
  const lines = requirementsOf(text);
  if (lines.length === 0) return "holds no package";
  for (const line of lines) {
    const [what = "", ...hashes] = line.split(/\s+--hash=/);
    if (what.startsWith("-")) return `holds an option, and indexes are named beside it: ${what}`;
    if (!pinned.test(what.trim())) return `must name one version of each package, and has: ${what}`;
    if (hashes.length === 0) return `has no hash of ${what}`;
    if (!hashes.every((hash) => /^sha256:[0-9a-f]{64}$/.test(hash.trim())))
      return `has a hash that is no SHA-256 at ${what}`;
  }
  return undefined;
}
