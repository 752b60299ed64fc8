import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import { z } from "zod";
import { missingAccounts } from "#facts/accounts.ts";
import { contents, type Entry, entries } from "#facts/files.ts";
import { accountsNote, keepAside, putBack, removeAccounts } from "#provider/contract/linux-steps.ts";
import {
  defineResource,
  type Finding,
  findingAt,
  type Json,
  type Observation,
} from "#provider/contract/resource.ts";
import { remove, run, type Step, write } from "#provider/contract/step.ts";
import { type ShellCommand, script, sh, shellScript } from "#transport/command.ts";
import type { Host } from "#transport/host.ts";
import { accountsIn, sysusersFolder } from "./sysusers.ts";

/** Larger or binary content is compared by its hash and shown as such. */
const shownBytes = 64 * 1024;

const mode = z.string().regex(/^[0-7]{4}$/, "needs four octal digits, such as 0644");
const owner = z
  .string()
  .regex(/^[\w.-]+:[\w.-]+$/, "needs user and group, such as root:root")
  .default("root:root")
  .describe("User and group by name.");

const file = z.strictObject({
  content: z.string().describe("Whole text of the file."),
  mode: mode.default("0644").describe("Permission bits."),
  owner,
});
const directory = z.strictObject({
  directory: z.literal(true).describe("A folder; foreign content in it is left alone."),
  mode: mode.default("0755").describe("Permission bits."),
  owner,
});
const symlink = z.strictObject({ symlink: z.string().min(1).describe("Where the link points.") });
const entry = z.union([file, directory, symlink]);
type Wanted = z.output<typeof entry>;

const path = z
  .string()
  .regex(
    /^\/(?!.*(\/\/|\/\.{1,2}(\/|$))).*[^/]$/,
    "must be an absolute path without `..`, `.` or a slash at its end",
  );

const inputs = z.strictObject({
  files: z
    .record(path, entry)
    .refine((files) => Object.keys(files).length > 0, "needs at least one path")
    .describe("What stands at each path: a file, a directory or a symlink."),
});

type Want = z.output<typeof inputs>;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const isFile = (value: unknown): value is z.output<typeof file> =>
  typeof value === "object" && value !== null && "content" in value;

const makeAccounts = script(import.meta.url, "./make-accounts.sh");

interface Reader {
  readonly folder: string;
  readonly command: (path: string) => ShellCommand;
  /** Takes away what came with the file, once the file has gone. */
  readonly undo?: (path: string) => ShellCommand;
}

/**
 * Folders that a tool of the system reads; without it the file alone has no effect. It reads the text before
 * the file is written: a run that is cut off in between finds the file missing, and does both again.
 */
const readers: readonly Reader[] = [
  {
    folder: sysusersFolder,
    command: (at) => shellScript(makeAccounts, [at, accountsNote(at)]),
    undo: (at) => removeAccounts(accountsNote(at)),
  },
  { folder: "/etc/tmpfiles.d", command: (at) => sh`systemd-tmpfiles --create --replace=${at} -` },
];

const readerOf = (at: string) => readers.find(({ folder }) => dirname(at) === folder);

/** Text that can be shown; `undefined` of what is binary or was not read. */
function textOf(read: Buffer | undefined): string | undefined {
  const text = read?.toString();
  return read && text !== undefined && Buffer.from(text).equals(read) && !text.includes("\0")
    ? text
    : undefined;
}

const describe = ({ size, sha256 = "unknown" }: Entry) => `${size} bytes, sha256 ${sha256}`;

/** What stands at one path. */
interface Seen {
  readonly value: Wanted;
  /** What is wrong with the content that is wanted here, where the one that is there cannot be shown. */
  readonly wrong?: string;
}

/**
 * @param wants what is wanted here, and what was last; @param wanted the first of them, if it is still wanted
 */
function seenAt(
  entry: Entry,
  read: Buffer | undefined,
  wants: readonly Wanted[],
  wanted: Wanted | undefined,
): Seen {
  const { type, mode, owner } = entry;
  if (type === "symlink") return { value: { symlink: entry.target ?? "" } };
  if (type === "directory") return { value: { directory: true, mode, owner } };
  const known = wants.find((want) => isFile(want) && sha256(want.content) === entry.sha256);
  const content = isFile(known) ? known.content : textOf(read);
  if (content !== undefined) return { value: { content, mode, owner } };
  if (!isFile(wanted)) return { value: { content: `(${describe(entry)})`, mode, owner } };
  const wrong =
    type === "file" ? `is other than wanted: ${describe(entry)}` : "is neither a file, a folder nor a link";
  return { value: { content: wanted.content, mode, owner }, wrong };
}

/** Accounts that files of ours make and that are gone, in words, by the file's path. */
async function lookForAccounts(host: Host, { files }: Want): Promise<ReadonlyMap<string, string>> {
  const makers = Object.entries(files).flatMap(([at, value]) =>
    dirname(at) === sysusersFolder && isFile(value) ? [{ at, content: value.content }] : [],
  );
  const missing = await Promise.all(
    makers.map(async ({ at, content }) => {
      const gone = await host.ask(missingAccounts(accountsIn(content)));
      return [at, gone.join("; ")] as const;
    }),
  );
  return new Map(missing.filter(([, gone]) => gone !== ""));
}

async function observeFiles(
  host: Host,
  want: Want,
  last: Want | undefined,
): Promise<Observation<Want> | undefined> {
  const paths = [...new Set([...Object.keys(want.files), ...Object.keys(last?.files ?? {})])];
  const wantsAt = (at: string) => [want.files[at], last?.files[at]].filter((value) => value !== undefined);
  const [there, gone] = await Promise.all([host.ask(entries(paths)), lookForAccounts(host, want)]);
  const known = (at: string, hash: string | undefined) =>
    wantsAt(at).some((value) => isFile(value) && sha256(value.content) === hash);
  const unknown = [...there].filter(
    ([at, { type, size, sha256 }]) => type === "file" && size <= shownBytes && !known(at, sha256),
  );
  const read =
    unknown.length > 0 ? await host.ask(contents(unknown.map(([at]) => at))) : new Map<string, Buffer>();
  if (there.size === 0) return undefined;
  const seen = [...there].map(([at, entry]) => ({
    at,
    entry,
    ...seenAt(entry, read.get(at), wantsAt(at), want.files[at]),
  }));
  const hidden = seen.filter(({ wrong }) => wrong !== undefined);
  return {
    config: { files: Object.fromEntries(seen.map(({ at, value }) => [at, value])) },
    findings: seen.flatMap(({ at, wrong = gone.get(at) }): Finding[] =>
      wrong === undefined ? [] : [{ path: ["files", at, "content"], text: wrong }],
    ),
    // Not the content that is wanted here: it was never theirs.
    originals: Object.fromEntries(
      hidden.map(({ at, entry, value }) => [itemName(at), { ...value, content: `(${describe(entry)})` }]),
    ),
  };
}

const itemName = (at: string) => `file ${at}`;

/** Clears the way where another kind of thing stands; a folder with content in it is never swept away. */
function* clear(at: string, want: Wanted, have: Wanted | undefined): Iterable<Step> {
  if (!have) return;
  const kind = (value: Wanted) =>
    "symlink" in value ? "symlink" : "directory" in value ? "directory" : "file";
  if (kind(have) === kind(want)) return;
  yield run("directory" in have ? sh`rmdir -- ${at}` : sh`rm -f -- ${at}`);
}

function* put(at: string, want: Wanted, have: Wanted | undefined, before: Json | undefined): Iterable<Step> {
  if (isFile(before)) yield keepAside(at);
  yield* clear(at, want, have);
  if ("symlink" in want) yield run(sh`ln -sfn -- ${want.symlink} ${at}`);
  else if ("directory" in want) {
    yield run(sh`mkdir -p -- ${at} && chown -- ${want.owner} ${at} && chmod -- ${want.mode} ${at}`);
  } else {
    const reader = readerOf(at);
    if (reader) yield run(reader.command(at), { stdin: want.content, title: `have the system read ${at}` });
    yield write(at, want.content, want);
  }
}

function* restore(at: string, have: Wanted, before: Json | undefined): Iterable<Step> {
  if (isFile(before)) yield putBack(at);
  else if (before === undefined) yield remove(at);
  else yield* put(at, entry.parse(before), have, undefined);
  const undo = readerOf(at)?.undo;
  if (undo) yield run(undo(at), { title: `take away what came with ${at}` });
}

const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
/** Users come before the folders they own, folders before what lies in them. */
const order = (at: string, want: Wanted) => {
  const read = readers.some(({ folder }) => at === folder) || readerOf(at) !== undefined;
  return `${read ? 0 : "directory" in want ? 1 : 2}${at}`;
};
const ordered = (files: Readonly<Record<string, Wanted>>) =>
  Object.entries(files).sort(([a, x], [b, y]) => (order(a, x) < order(b, y) ? -1 : 1));

/**
 * Files, directories and symlinks. Files move into place atomically. What stood at a path before is kept
 * aside and put back when the path leaves the map or the resource goes; a directory goes only when it is
 * empty.
 */
export const files = defineResource({
  type: "Files",
  version: 1,
  inputs,
  identity: [],
  deleteBeforeReplace: true,
  id: (want) => Object.keys(want.files).sort()[0] ?? "",
  fromId: (id) => ({ files: { [id]: { content: "" } } }),

  items: (config) =>
    Object.keys(config.files ?? {}).map((at) => ({
      name: itemName(at),
      path: ["files", at],
      // Many roles need the same folder, and each is content with it as it stands.
      shared: "directory" in (config.files?.[at] ?? {}),
    })),

  observe: observeFiles,

  *apply(want, have, { before }) {
    const there = have?.config.files ?? {};
    for (const [at, value] of ordered(want.files)) {
      if (differs(value, there[at]) || findingAt(have, "files", at, "content"))
        yield* put(at, value, there[at], before(itemName(at)));
    }
    for (const [at, value] of ordered(there).reverse()) {
      if (!(at in want.files)) yield* restore(at, value, before(itemName(at)));
    }
  },

  *remove({ config }, { before }) {
    for (const [at, value] of ordered(config.files ?? {}).reverse())
      yield* restore(at, value, before(itemName(at)));
  },
});
