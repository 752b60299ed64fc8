import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

/** Ends a run with one plain line of real counts, for people and for CI. */
class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], _reason: TestRunEndReason): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    // A file that could not be collected, or a group whose preparation failed, ran no test and must not pass
    // as none failed.
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = groups.filter((group) => group.errors().length > 0).length + errors.length;
    const skipped = count("skipped");
    const atHome = process.platform === "linux" && process.getuid?.() === 0;
    if (skipped > 0 && !atHome) process.stdout.write(`\n${skipped} skipped: needs Linux root\n`);
    const tail = skipped > 0 ? `, ${skipped} skipped` : "";
    process.stdout.write(`\n${count("passed")} passed, ${count("failed") + broken} failed${tail}\n`);
  }
}

// biome-ignore lint/style/noDefaultExport: vitest loads a reporter by its default export
export default CountsReporter;
