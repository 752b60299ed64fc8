import { pathText } from "#inventory/problems.ts";
import type { Change, Item, Path } from "#provider/contract/resource.ts";
import { excerpts, maskValue, valueText } from "#provider/converge/change-text.ts";
import { liesIn } from "#provider/converge/compare.ts";
import { touchesSecret } from "./secrets.ts";

/** A screenful; the plan has all of it. */
const itemLines = 12;
const changesPerItem = 8;
const characters = 72;

/** What a preview says of a resource that takes over what stands on its host. */
export interface Takeover {
  readonly host: string;
  readonly adopted: readonly Item[];
  /** All changes of the resource; those of the adopted items are told. */
  readonly changes: readonly Change[];
  readonly secretPaths: readonly Path[];
  readonly mask: (text: string) => string;
}

/**
 * Item by item what is taken over from whoever set the machine up and what changes about it, since Pulumi
 * itself shows only the inputs of what it creates. Bounded in length, secrets masked.
 */
export function takeoverText({ host, adopted, changes, secretPaths, mask }: Takeover): string {
  const items = adopted.map(({ name, path }) => {
    const own = changes.filter((change) => liesIn(change.path, path));
    const text = (change: Change) => changeText(change, path, touchesSecret(change.path, secretPaths), mask);
    const added = own.filter(({ kind }) => kind === "add").map((change) => titleOf(change, path));
    return {
      name,
      // Their values stand among the inputs.
      changes: [
        ...own.filter(({ kind }) => kind !== "add").map(text),
        ...(added.length > 0 ? [`new: ${added.join(", ")}`] : []),
      ],
    };
  });
  const changing = items.filter((item) => item.changes.length > 0);
  const lines = changing
    .slice(0, itemLines)
    .map((item) => `${item.name}: ${listSome(item.changes, changesPerItem)}`);
  const more = changing.length - lines.length;
  if (more > 0) lines.push(`and ${more} more that change; \`npm run plan\` has them all`);
  const kept = items.filter((item) => item.changes.length === 0).map(({ name }) => name);
  if (kept.length > 0) lines.push(`as wanted already: ${listSome(kept, itemLines)}`);
  const end = changing.length > 0 ? "; what changes is put back when it leaves the stack" : "";
  return [`takes over what is on ${host}${end}:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

function listSome(texts: readonly string[], most: number): string {
  const rest = texts.length - most;
  return [...texts.slice(0, most), ...(rest > 0 ? [`${rest} more`] : [])].join(", ");
}

const titleOf = ({ path }: Change, of: Path) => pathText(path.slice(of.length));

function changeText(change: Change, of: Path, secret: boolean, mask: (text: string) => string): string {
  const { want, have, text } = change;
  const what = titleOf(change, of);
  if (text !== undefined) return `${what}${what && ": "}${mask(text)}`;
  const title = what === "" ? "" : `${what} `;
  if (secret) return `${title}changes (secret)`;
  const [from, to, line] = differing(maskValue(have, mask), maskValue(want, mask));
  const [is, other] = excerpts(valueText(from), valueText(to), characters);
  return `${title}${line}${is} → ${other}`;
}

/** Of two texts the first line in which they differ, with words for where that is. */
function differing(have: unknown, want: unknown): readonly [unknown, unknown, string] {
  if (typeof have !== "string" || typeof want !== "string" || !`${have}${want}`.includes("\n"))
    return [have, want, ""];
  if (want === `${have}\n`) return ["none", "one", "line break at the end "];
  if (have === `${want}\n`) return ["one", "none", "line break at the end "];
  const [there, wanted] = [have.split("\n"), want.split("\n")];
  const at = wanted.findIndex((line, i) => line !== there[i]);
  const first = at === -1 ? wanted.length : at;
  return [there[first], wanted[first], `from line ${first + 1} on `];
}
