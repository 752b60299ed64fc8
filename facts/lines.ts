import type { Finished } from "#transport/host.ts";

/** Lines of some text, whichever system ended them: `\r\n` is a line's end as `\n` is. */
export function splitLines(text: string): readonly string[] {
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

/**
 * Throws for an exit code that does not come with an answer, with what the command said first. @param codes
 * those that do
 */
export function refuseFailure({ exitCode, stderr }: Finished, codes: readonly number[] = [0]): void {
  if (codes.includes(exitCode)) return;
  throw new Error(splitLines(stderr.trim())[0] || `it ended with exit code ${exitCode}`);
}

/**
 * Lines of a whole answer. Throws for an exit code that does not come with one, and for output that breaks
 * off within a line: what is left of that could be taken for something else.
 * @param codes exit codes that come with an answer
 */
export function linesOf(finished: Finished, codes?: readonly number[]): readonly string[] {
  refuseFailure(finished, codes);
  const lines = splitLines(finished.stdout);
  if (finished.stdout !== "" && !finished.stdout.endsWith("\n"))
    throw new Error(`the output breaks off: ${lines.at(-1)}`);
  return lines;
}

/** Parts of a line that has this form; throws for any other. @param what the line should be: `a package` */
export function partsOf(line: string, form: RegExp, what: string): readonly string[] {
  const found = form.exec(line);
  if (!found) throw new Error(`not the line of ${what}: ${line}`);
  return found.slice(1).map((part) => part ?? "");
}

/** A line of base64, which may be empty. */
export const base64 = /^((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/;
