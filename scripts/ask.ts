import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Whether somebody is there to answer. */
export const hasTerminal = () => process.stdin.isTTY === true && process.stderr.isTTY === true;

/** The operator's line, trimmed; Ctrl-C and Ctrl-D reject. */
export async function ask(question: string): Promise<string> {
  return (await answered(question, process.stderr)).trim();
}

/** The operator's line, not shown while it is typed. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await answered("", nowhere);
  } finally {
    process.stderr.write("\n");
  }
}

async function answered(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const { promise, reject } = Promise.withResolvers<never>();
  lines.on("SIGINT", () => reject(new Error("stopped by Ctrl-C; nothing was written")));
  lines.on("close", () => reject(new Error("no answer; nothing was written")));
  try {
    return await Promise.race([lines.question(question), promise]);
  } finally {
    promise.catch(() => undefined);
    lines.close();
  }
}
