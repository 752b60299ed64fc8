import { needsOf } from "#stacks/pins.ts";
import { exists, hashOf, type Progress } from "./pin/fetch.ts";
import { projectOf } from "./pulumi/pulumi.ts";
import {
  configKey,
  configurationIn,
  readStackFile,
  stackFileOf,
  writeStackFile,
} from "./stack/stack-file.ts";
import { setIn } from "./stack/yaml-edit.ts";
import { UsageError } from "./terminal/arguments.ts";
import { main } from "./terminal/main.ts";
import { voice } from "./terminal/output.ts";

const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const soFar = ({ bytes, total }: Progress) => (total ? `${mb(bytes)} of ${mb(total)}` : mb(bytes));
/** Between two lines of progress. */
const pauseMs = 3000;

/** A value as lines of YAML. Hashes in quotes: YAML takes some for numbers. */
const linesOf = (value: string | Readonly<Record<string, string>>): string[] =>
  typeof value === "string"
    ? [/^[0-9a-f]{64}$/.test(value) ? `"${value}"` : value]
    : Object.entries(value).map(([name, sha256]) => `${name}: "${sha256}"`);

await main("pin", async ({ words: [what = "", version = "", stack = ""] }) => {
  const file = stackFileOf(projectOf(stack), stack);
  const text = readStackFile(file);
  if (text === undefined) throw new UsageError(`there is no ${file}`);

  const say = voice();
  try {
    say.now(`what ${stack} needs of ${what} ${version}`);
    const needs = await needsOf(what, version, configurationIn(text), exists);
    const hashes = new Map<string, string>();
    for (const { name, url } of needs.flatMap(({ files }) => files)) {
      if (hashes.has(url)) continue;
      let next = 0;
      const { sha256, bytes } = await hashOf(url, (progress) => {
        if (Date.now() < next) return;
        next = Date.now() + pauseMs;
        say.now(`${name}: ${soFar(progress)}`);
      });
      hashes.set(url, sha256);
      say.done(`${name}: ${mb(bytes)}, sha256 ${sha256}`);
    }
    const pins = needs.flatMap(({ path: [key = "", ...above], pins }) =>
      pins(({ url }) => hashes.get(url) ?? "").map(({ path, value }) => ({
        path: [configKey(key), ...above, ...path],
        value,
      })),
    );
    const pinned = pins.reduce(
      (edited, { path, value }) => setIn(edited, ["config", ...path], value, linesOf(value)),
      text,
    );
    if (pinned === text) {
      say.done(`${file} has it already`);
      return 0;
    }
    writeStackFile(file, pinned);
    const written = [...new Set(needs.map(({ where }) => where))].join(", ");
    say.done(`written to ${file}: ${written}. Next: npm run plan ${stack}`);
    return 0;
  } finally {
    say.stop();
  }
});
