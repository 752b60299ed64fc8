import { type Command, type ScriptCall, shownCommand } from "../command.ts";
import { HostError, type HostErrorKind } from "../errors.ts";
import { openGate } from "../gate.ts";
import type { Fact, Finished, Machine, RunOptions } from "../host.ts";

/** What comes back from a script: its stdout, more than that, or nothing before the time limit. */
export type Answer = string | Partial<Finished> | "hangs";

/** What a script does on the machine; an error that it throws is what the caller gets. */
type Handler = (values: ScriptCall["values"], options: RunOptions) => Answer | Promise<Answer>;

/** What a test decides of a machine. */
export interface MachineScript {
  /**
   * By the name of the script. One that is not here rejects, so that a test shows all that reaches the
   * machine.
   */
  readonly scripts: Readonly<Record<string, Handler>>;
  readonly reboot?: () => Promise<void>;
  readonly reconnect?: () => Promise<void>;
  readonly writeFile?: (path: string, content: string) => Promise<void>;
}

/** A machine of a test, and all that was done to it. */
export interface ScriptedMachine extends Machine {
  /**
   * In order: `ask read-things {}`, `run set-thing {"name":"x"}`, `write /x`, `reboot 60`, `reconnect 20`,
   * `lock me`.
   */
  readonly log: readonly string[];
}

/** The error of a machine that did not answer, as the transport would give it. */
export const hostError = (kind: HostErrorKind, what: string): HostError =>
  new HostError({ name: "pc", target: "admin@pc" }, kind, what);

/**
 * A machine whose behaviour a test writes down. It takes our own scripts by their names and no shell text at
 * all, so whatever works on it knows no POSIX. Gate and time limits are real.
 */
export function scriptedMachine({ scripts, reboot, reconnect, writeFile }: MachineScript): ScriptedMachine {
  const log: string[] = [];

  async function run(command: Command, options: RunOptions = {}): Promise<Finished> {
    if ("text" in command) throw new Error(`shell text reached a machine without a shell:\n${command.text}`);
    const handler = scripts[command.script.name];
    if (handler === undefined) throw new Error(`the test has no script ${command.script.name}`);
    const answer = await handler(command.values, options);
    if (answer === "hangs") return await outOfTime(options.timeoutSeconds ?? 60);
    const finished = typeof answer === "string" ? { stdout: answer } : answer;
    for (const line of finished.stdout?.split("\n") ?? []) if (line !== "") options.onLine?.(line);
    return { exitCode: 0, stdout: "", stderr: "", ...finished };
  }

  return {
    log,
    name: "pc",
    system: "windows",
    target: "admin@pc",
    gate: openGate(),
    watch: () => () => undefined,
    run(command, options) {
      log.push(`run ${shownCommand(command)}`);
      return run(command, options);
    },
    async ask<T>({ command, timeoutSeconds = 20, parse }: Fact<T>) {
      log.push(`ask ${shownCommand(command)}`);
      return parse(await run(command, { timeoutSeconds }));
    },
    async readFile() {
      return undefined;
    },
    async writeFile(path, content) {
      log.push(`write ${path}`);
      await writeFile?.(path, String(content));
    },
    async lock(holder) {
      log.push(`lock ${holder}`);
    },
    async reboot(seconds) {
      log.push(`reboot ${seconds}`);
      await reboot?.();
    },
    async reconnect(seconds) {
      log.push(`reconnect ${seconds}`);
      await reconnect?.();
    },
  };
}

function outOfTime(seconds: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(hostError("timeout", `no end within ${seconds} s`)), seconds * 1000);
  });
}
