import { type Command, keyOf, shownCommand } from "./command.ts";
import type { Fact, Finished, Host } from "./host.ts";

type Answer = string | Partial<Finished>;

const finished = (answer: Answer): Finished => ({
  exitCode: 0,
  stdout: "",
  stderr: "",
  ...(typeof answer === "string" ? { stdout: answer } : answer),
});

/**
 * A host for unit tests that answers from a table: command text → stdout (or exit code, stdout, stderr). A
 * command that is not in the table rejects, so a test shows every command that reaches a host.
 */
export function fakeHost(answers: Record<string, Answer>, files: Record<string, string> = {}): Host {
  const run = async (command: Command): Promise<Finished> => {
    const answer = answers[keyOf(command)];
    if (answer === undefined) throw new Error(`the fake host has no answer for:\n${shownCommand(command)}`);
    return finished(answer);
  };
  return {
    name: "fake",
    system: "linux",
    target: "root@fake",
    run,
    ask: async <T>(fact: Fact<T>) => fact.parse(await run(fact.command)),
    readFile: async (path) => (path in files ? Buffer.from(files[path] ?? "") : undefined),
    writeFile: async () => {
      throw new Error("the fake host is only observed, never written");
    },
  };
}
