import { readFile, writeFile } from "node:fs/promises";
import { parsePoints } from "#models/report/points.ts";
import { reportText } from "#models/report/report.ts";

// Writes the tables of docs/what-fits.md anew. With a file of points as argument: prints its tables and
// writes nothing.
const [file] = process.argv.slice(2);
const here = (path: string) => new URL(path, import.meta.url);
const text = reportText(parsePoints(await readFile(file ?? here("data/vram-points.csv"), "utf8")));
if (file !== undefined) {
  process.stdout.write(`${text}\n`);
} else {
  const page = here("../docs/what-fits.md");
  const [before, , after] = (await readFile(page, "utf8")).split(/<!-- (?:begin|end) of the tables -->/);
  await writeFile(
    page,
    `${before}<!-- begin of the tables -->\n\n${text}\n\n<!-- end of the tables -->${after}`,
  );
}
