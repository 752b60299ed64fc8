/** What one place of a machine has to hold for a service, MiB; see the estimate of its engine. */
interface Need {
  readonly host: string;
  readonly place: string;
  readonly weightsMiB: number;
  readonly cacheMiB: number;
  readonly overheadMiB: number;
  readonly freeMiB: number | undefined;
}

/** What a plan tells of a service's memory. */
export interface PlannedFit {
  readonly service: string;
  /** `OWNER/MODEL` and file; `undefined`: it is not on the hub. */
  readonly model: string | undefined;
  readonly decision: "pass" | "warn" | "refuse" | "unknown";
  /** The verdict in one line, or why there is none. */
  readonly text: string;
  readonly needs: readonly Need[];
}

/** Where each service lies and what it takes there, host by host, and below it the verdicts in words. */
export function fitText(fits: readonly PlannedFit[]): string {
  if (fits.length === 0) return "";
  const rows = fits.flatMap(({ service, needs, decision }) =>
    needs.map((need) => [
      need.host,
      need.place,
      service,
      gibText(need.weightsMiB),
      gibText(need.cacheMiB),
      gibText(need.overheadMiB),
      need.freeMiB === undefined ? "?" : gibText(need.freeMiB),
      verdicts[decision],
    ]),
  );
  const sorted = rows.toSorted(([a = ""], [b = ""]) => a.localeCompare(b));
  const heading = ["host", "place", "service", "weights", "KV", "overhead", "free", "verdict"];
  const table = sorted.length === 0 ? "" : tableText(heading, sorted);
  const lines = fits.map(({ service, model, text }) => `${service}${model ? ` (${model})` : ""}: ${text}\n`);
  return `memory, GiB\n${indented(table)}${indented(lines.join(""))}`;
}

const verdicts = { pass: "fits", warn: "see below", refuse: "does not fit", unknown: "not judged" } as const;
const indented = (text: string) => text.replaceAll(/^(?=.)/gm, "  ");

/** MiB as GiB with one decimal. */
export const gibText = (mib: number): string => (mib / 1024).toFixed(1);

/** Columns under their headings, two blanks between; the last one runs on. */
export function tableText(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(column === row.length - 1 ? 0 : (widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}
