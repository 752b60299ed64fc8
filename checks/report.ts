import { byHost, type Report, type Result, summary, type Verdict } from "./result.ts";

const signs = { good: "✓", bad: "✗", unknown: "?" } as const satisfies Record<Verdict, string>;

/** A host of which every result is unknown for the same reason needs that reason once. */
function sameReason(results: readonly Result[]): readonly string[] | undefined {
  const [first, ...others] = results;
  if (first?.verdict !== "unknown" || others.length === 0) return undefined;
  const text = first.details.join("\n");
  return others.every((one) => one.verdict === "unknown" && one.details.join("\n") === text)
    ? first.details
    : undefined;
}

/** For a person at a terminal or reading a log. */
export function asText({ results }: Report): string {
  const width = (pick: (result: Result) => string) => Math.max(0, ...results.map((one) => pick(one).length));
  const names = width((one) => one.name);
  const types = width((one) => one.type);
  const indented = (lines: readonly string[]) => lines.map((line) => `      ${line}`);
  const unseen = [...byHost(results)].flatMap(([host, ofHost]) => {
    const reason = sameReason(ofHost)?.map((line) => line.trim());
    return reason
      ? [`${host}  ? ${ofHost[0]?.label} (${ofHost.length} resources): ${reason.join("; ")}`]
      : [];
  });
  const hosts = [...byHost(results)].flatMap(([host, ofHost]) => {
    if (sameReason(ofHost)) return [];
    const lines = ofHost.flatMap((one) => [
      `  ${signs[one.verdict]} ${one.name.padEnd(names)}  ${one.type.padEnd(types)}  ${one.label}`,
      ...indented(one.details),
    ]);
    return [host, ...lines].join("\n");
  });
  return printable(
    `${[...hosts, ...(unseen.length > 0 ? [unseen.join("\n")] : []), summary(results)].join("\n\n")}\n`,
  );
}

/** For programs. */
export function asJson(report: Report): string {
  return `${JSON.stringify({ ...report, summary: summary(report.results) }, undefined, 2)}\n`;
}

/**
 * For a CI system's view of tests: one suite a host; could not look is an error, drift and failure are
 * failures.
 */
export function asJunit({ command, stack, results }: Report): string {
  const count = (of: readonly Result[], verdict: Verdict) =>
    of.filter((one) => one.verdict === verdict).length;
  const counts = (of: readonly Result[]) =>
    `tests="${of.length}" failures="${count(of, "bad")}" errors="${count(of, "unknown")}"`;
  const testcase = (one: Result) => {
    const time = one.seconds === undefined ? "" : ` time="${one.seconds.toFixed(3)}"`;
    const open = `    <testcase name="${xml(one.name)}" classname="${xml(`${one.host}.${one.type}`)}"${time}`;
    if (one.verdict === "good") return `${open}/>`;
    const element = one.verdict === "bad" ? "failure" : "error";
    return `${open}>\n      <${element} message="${xml(one.label)}">${xml(one.details.join("\n"))}</${element}>\n    </testcase>`;
  };
  const suites = [...byHost(results)].map(
    ([host, ofHost]) =>
      `  <testsuite name="${xml(host)}" ${counts(ofHost)}>\n${ofHost.map(testcase).join("\n")}\n  </testsuite>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xml(`${command} ${stack}`)}" ${counts(results)}>`,
    ...suites,
    "</testsuites>\n",
  ].join("\n");
}

/** For an issue or a job summary. Rows of what is well are left out. */
export function asMarkdown({ command, stack, results }: Report): string {
  const rows = results
    .filter((one) => one.verdict !== "good")
    .map((one) => `| ${[one.host, one.name, one.label, one.details.join("\n")].map(cell).join(" | ")} |`);
  const table =
    rows.length === 0 ? [] : ["", "| host | what | result | details |", "|---|---|---|---|", ...rows];
  return [`## ${command} ${stack}`, "", `${summary(results)}.`, ...table, ""].join("\n");
}

// Text of a host must not steer the operator's terminal, and XML does not allow these at all, not even
// escaped.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to take out
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffe\uffff]/g;
const printable = (text: string) => text.replaceAll(control, "");

function xml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return printable(text).replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}

function cell(text: string): string {
  return printable(text)
    .replaceAll("\\", "\\\\")
    .replaceAll("|", "\\|")
    .replaceAll("<", "&lt;")
    .replaceAll("\n", "<br>");
}
