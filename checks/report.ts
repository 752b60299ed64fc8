import { hasSigns, legend } from "#provider/converge/change-text.ts";
import { harmless, harmlessJson, oneLine } from "#transport/harmless.ts";
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
  return harmless(`${[...hostTexts(results), ...legendOf(results), summary(results)].join("\n\n")}\n`);
}

/**
 * One text a host, and one for all hosts where nobody could look: a line each. Each line of a detail is
 * indented, so that no host writes a line of its own.
 */
function hostTexts(results: readonly Result[]): readonly string[] {
  const width = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
  const names = width(results.map(({ name }) => oneLine(name)));
  const types = width(results.map(({ type }) => type));
  const indented = (details: readonly string[]) =>
    details.flatMap((detail) => detail.split("\n")).map((line) => `      ${line}`);
  const hosts = [...byHost(results)].map(([host, ofHost]) => ({ host, ofHost, reason: sameReason(ofHost) }));
  const unseen = hosts.flatMap(({ host, ofHost, reason }) =>
    reason
      ? [
          `${host}  ? ${ofHost[0]?.label} (${ofHost.length} resources): ${oneLine(reason.map((line) => line.trim()).join("; "))}`,
        ]
      : [],
  );
  const seen = hosts.flatMap(({ host, ofHost, reason }) => {
    if (reason) return [];
    const lines = ofHost.flatMap(({ verdict, name, type, label, details }) => [
      `  ${signs[verdict]} ${oneLine(name).padEnd(names)}  ${type.padEnd(types)}  ${label}`,
      ...indented(details),
    ]);
    return [[host, ...lines].join("\n")];
  });
  return [...seen, ...(unseen.length > 0 ? [unseen.join("\n")] : [])];
}

const legendOf = (results: readonly Result[]): readonly string[] =>
  results.some(({ changes, details }) => changes !== undefined && hasSigns(details)) ? [legend] : [];

/** For programs. What steers a terminal stands in it as `\uXXXX`. */
export function asJson(report: Report): string {
  return `${harmlessJson(JSON.stringify({ ...report, summary: summary(report.results) }, undefined, 2))}\n`;
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

/**
 * For an issue or a job summary. What is well is left out. Details stand in one fenced block, of whose content
 * nothing is taken for Markdown, a mention or a link.
 */
export function asMarkdown({ command, stack, results }: Report): string {
  const wrong = results.filter((one) => one.verdict !== "good");
  const head = [`## ${command} ${markdown(stack)}`, "", `${summary(results)}.`];
  if (wrong.length === 0) return [...head, ""].join("\n");
  const rows = wrong.map((one) => `| ${[one.host, one.name, one.label].map(cell).join(" | ")} |`);
  const details = harmless([...hostTexts(wrong), ...legendOf(wrong)].join("\n\n"));
  // A fence ends at one that is as long (GFM 4.5).
  const longest = Math.max(0, ...[...details.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  const table = ["", "| host | what | result |", "|---|---|---|", ...rows];
  return [...head, ...table, "", `${fence}text`, details, fence, ""].join("\n");
}

/**
 * Text of one line that Markdown takes for nothing but text: a numeric reference stands for its character and
 * never for structure (GFM 6.2). An address of mail is found after that, hence the empty space behind its @.
 */
const markdown = (text: string): string =>
  oneLine(text)
    .replaceAll(/[^\p{L}\p{N} -]/gu, (character) => `&#${character.codePointAt(0)};`)
    .replaceAll("&#64;", "&#64;&#8203;");

/** Of a table. In code GitHub takes neither `@user` nor `#1` for what it is about. */
const cell = (text: string): string => `<code>${markdown(text)}</code>`;

/** XML does not allow these at all, not even escaped. */
const noXml = /[\ufffe\uffff]/g;

function xml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return harmless(text)
    .toWellFormed()
    .replaceAll(noXml, "")
    .replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}
