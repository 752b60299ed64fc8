import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type Ora from "ora";
import { asJson, asJunit, asMarkdown, asText } from "#checks/report.ts";
import { exitCode, type Report } from "#checks/result.ts";
import { harmless } from "#transport/harmless.ts";

interface ReportFlags {
  readonly json?: boolean | undefined;
  readonly junit?: string | undefined;
  readonly markdown?: string | undefined;
}

/** Prints a report and writes the files that were asked for; the exit code to end with. */
export function printReport(report: Report, { json, junit, markdown }: ReportFlags): number {
  process.stdout.write(json ? asJson(report) : asText(report));
  if (junit) writeFileSync(junit, asJunit(report));
  if (markdown) writeFileSync(markdown, asMarkdown(report));
  return exitCode(report);
}

/** What goes on, on stderr: a spinner on a terminal, plain lines elsewhere. */
export interface Voice {
  /** Replaces what is going on. */
  now(text: string): void;
  /** Leaves a line. */
  done(text: string): void;
  stop(): void;
}

/** The voice of a command: a spinner where stderr is a terminal that tells its width, else lines. */
export function voice(): Voice {
  // On a terminal that tells no width, as under script(1) or a serial console, ora counts lines without end.
  if (!process.stderr.isTTY || !process.stderr.columns) {
    const say = (text: string) => console.error(harmless(text));
    return { now: say, done: say, stop: () => undefined };
  }
  // A nightly run has no terminal, and no need of the spinner's seventeen packages.
  const { default: ora } = createRequire(import.meta.url)("ora") as { default: typeof Ora };
  const spinner = ora({ stream: process.stderr, discardStdin: false });
  return {
    now: (text) => void spinner.start(harmless(text)),
    done: (text) => void spinner.succeed(harmless(text)),
    stop: () => void spinner.stop(),
  };
}
