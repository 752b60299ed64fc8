import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Whether somebody is there to answer. */
export const hasTerminal = () => process.stdin.isTTY === true && process.stderr.isTTY === true;

/** The operator's line, trimmed; Ctrl-C and Ctrl-D reject. */
export async function ask(question: string): Promise<string> {
  return (await answer(question, process.stderr)).trim();
}

/** The operator's line, not shown while it is typed. */
export function askHidden(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return answer(question, nowhere).finally(() => process.stderr.write("\n"));
}

/** @param echo where the keys show */
async function answer(question: string, echo: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: echo, terminal: true });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.on("line", resolve);
  lines.on("SIGINT", () => reject(new Error("stopped by Ctrl-C; nothing was written")));
  lines.on("close", () => reject(new Error("no answer; nothing was written")));
  // Only now: until the interface is there the terminal itself shows what is typed.
  if (echo === process.stderr) lines.setPrompt(question);
  else process.stderr.write(question);
  lines.prompt();
  try {
    return await promise;
  } finally {
    lines.close();
  }
}
