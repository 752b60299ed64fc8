import { z } from "zod";
import { type Downloaded, downloaded, type Listed } from "#facts/downloads.ts";
import { httpAddress, sha256 } from "#inventory/kinds.ts";
import { type Change, defineResource, type Path } from "#provider/contract/resource.ts";
import { long, run, type Step, stopLong } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import {
  archiveFile,
  DOWNLOADS,
  downloadFolder,
  fileName,
  nameFolder,
  recordFile,
  stagingFolder,
  workName,
} from "./places.ts";
import { downloadScript } from "./script.ts";

const inputs = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,59}$/, "must be of lower case letters, digits, dots and hyphens")
      .describe("What it is called on this host; one artifact, of which generations come and go."),
    url: httpAddress
      .refine(
        (url) => /^[\w+@-][\w.+@-]*$/.test(safeFileName(url)),
        "must end in the name of a file, such as tool-1.2.tar.gz",
      )
      .describe("Where the file is. Its last part is the name of the file on the host."),
    mirrors: z
      .array(httpAddress)
      .default([])
      .describe("Addresses of the same file, tried in order after `url`."),
    sha256: sha256.describe("Of the file. Another content lands in another folder."),
    unpack: z
      .strictObject({
        strip: z.int().min(0).default(0).describe("Leading folders to leave out of each member's path."),
      })
      .optional()
      .describe("Unpack the file, a tar archive (gz, xz, zst), into the folder."),
    trial: z
      .array(z.string())
      .min(1)
      .optional()
      .describe(
        "Program below the folder, and its arguments. Run without rights before what was unpacked is put in place; it must end well.",
      ),
    owner: z
      .string()
      .regex(/^[\w.-]+:[\w.-]+$/, "needs user and group, such as root:root")
      .default("root:root")
      .describe("User and group by name."),
    mode: z
      .string()
      .regex(/^[0-7]{4}$/, "needs four octal digits, such as 0644")
      .default("0644")
      .describe("Permission bits of a file; what is unpacked keeps those of the archive."),
    directory: z
      .string()
      .regex(/^\/(?!.*(\/\/|\/\.{1,2}(\/|$)))[^\0\n]*[^/]$/, "must be an absolute path")
      .default(DOWNLOADS)
      .describe("Folder of all downloads; one lands in <directory>/<name>/<first 12 digits of sha256>."),
  })
  .refine(({ unpack, url }) => !unpack || !/\.(zip|7z|rar|deb|rpm)$/i.test(safeFileName(url)), {
    path: ["url"],
    message: "is no tar archive, and others are not unpacked",
  })
  .refine(({ unpack, trial }) => !trial || unpack, {
    path: ["trial"],
    message: "is for what is unpacked",
  });
type Want = z.output<typeof inputs>;

function safeFileName(url: string): string {
  try {
    return fileName(url);
  } catch {
    return "";
  }
}

/** What the record says was put there: everything of the wants that shows on the host. */
type Put = Pick<Want, "sha256" | "unpack" | "owner" | "mode"> & { readonly file: string };

const putOf = ({ sha256, unpack, owner, mode, url }: Want): Put => ({
  file: fileName(url),
  sha256,
  owner,
  // Neither has a meaning in the other case, and must not unpack or fetch anything anew.
  mode: unpack ? "" : mode,
  ...(unpack ? { unpack } : {}),
});

/** An entry that is not as it was put there, in the operator's words; one side is absent where it is missing or was added. */
interface Difference {
  readonly want?: string;
  readonly have?: string;
}

/** What is seen beside the inputs: such entries by their path in the folder. */
type Seen = Partial<Want> & { readonly content?: Readonly<Record<string, Difference>> };

/** What is shown beside the configuration. */
interface Status {
  /** Whether the folder is there, and not only what was begun. */
  readonly placed: boolean;
  /** Folder name → bytes on disk, and whether some resource is its owner. */
  readonly otherGenerations: Readonly<Record<string, { readonly bytes: number; readonly used: boolean }>>;
}

const item = (it: { directory: string; name: string }, generation: string) =>
  `download ${it.directory}/${it.name}/${generation}`;

const kinds: Record<string, string> = { f: "file", d: "folder", l: "symlink" };

/** An entry in few words; what two entries share is of no interest. */
function entryText(it: Listed, other: Listed | undefined): string {
  const [bytes = "", mtime = "", inode = ""] = it.stamp.split(" ");
  const [otherBytes, otherMtime] = other?.stamp.split(" ") ?? [];
  const parts = [
    it.type === other?.type ? "" : (kinds[it.type] ?? "special file"),
    it.mode === other?.mode ? "" : `mode ${it.mode}`,
    it.owner === other?.owner ? "" : `owner ${it.owner}`,
    it.target === (other?.target ?? "") ? "" : `to ${it.target}`,
    it.type !== "f" || bytes === otherBytes ? "" : `${bytes} bytes`,
    it.type !== "f" || mtime === otherMtime ? "" : `written ${new Date(Number(mtime) * 1000).toISOString()}`,
  ];
  return parts.filter((part) => part !== "").join(", ") || `inode ${inode}`;
}

/** More than that is one line: somebody swept through the folder. */
const shownEntries = 20;

function contentOf(differences: Downloaded["differences"]): Record<string, Difference> {
  const all = [...differences].map(([path, { then, now }]): [string, Difference] => [
    path,
    {
      ...(then ? { want: entryText(then, now) } : {}),
      ...(now ? { have: entryText(now, then) } : {}),
    },
  ]);
  const more = all.length - shownEntries;
  return Object.fromEntries([
    ...all.slice(0, shownEntries),
    ...(more > 0 ? [["…", { want: "as put there", have: `${more} more entries differ` }]] : []),
  ]);
}

/** The wants as the folder shows them. What is not visible on a host, such as addresses, is as wanted. */
function seenConfig(want: Want, { record, differences }: Downloaded): Seen {
  // A folder that we did not make, or not to the end.
  if (record === undefined) {
    return { ...want, content: { ".": { want: "verified when it was put there", have: "not verified" } } };
  }
  const put = JSON.parse(record) as Put;
  const { unpack: _unpack, ...rest } = want;
  return {
    ...rest,
    // An address that gives the name which stands there.
    ...(put.unpack || put.file === fileName(want.url) ? {} : { url: new URL(put.file, want.url).href }),
    sha256: put.sha256,
    owner: put.owner,
    mode: put.mode || want.mode,
    ...(put.unpack ? { unpack: put.unpack } : {}),
    ...(differences.size > 0 ? { content: contentOf(differences) } : {}),
  };
}

/**
 * A vendor's file by address and hash, as it is or unpacked. Fetched in the background of the host, so that neither a lost
 * connection nor Ctrl-C loses what is there, and complete and verified before it stands in its place.
 *
 * Another content is made beside the old one before anything moves to it. When the old one leaves, it stays as the
 * previous generation until the next change; older ones go. With the last resource of the name all of them go.
 */
export const download = defineResource({
  type: "Download",
  version: 2,
  inputs,
  identity: ["name", "sha256", "directory"],
  deleteBeforeReplace: false,
  id: (want) => downloadFolder(want),
  items: ({ name, sha256, directory }) =>
    name === undefined || sha256 === undefined || directory === undefined
      ? []
      : [{ name: item({ directory, name }, sha256.slice(0, 12)), path: ["sha256"], shared: true }],

  async observe(host, want) {
    const seen = await host.ask(
      downloaded({
        folder: downloadFolder(want),
        record: recordFile(want),
        unfinished: [stagingFolder(want), archiveFile(want)],
        items: item(want, ""),
      }),
    );
    const status = {
      placed: seen.present,
      otherGenerations: Object.fromEntries(
        [...seen.others].map(([name, bytes]) => [name, { bytes, used: seen.owned.has(item(want, name)) }]),
      ),
    };
    if (seen.present) return { config: seenConfig(want, seen), status };
    // What was begun, or kept for a repair, is ours to take away.
    const gone: Seen = { ...want, content: { ".": { want: "the folder" } } };
    return seen.unfinished > 0 ? { config: gone, status } : undefined;
  },

  diff(want, { content = {}, ...have }: Seen) {
    const keys = [...new Set([...Object.keys(want), ...Object.keys(have)])] as (keyof Want)[];
    return [
      ...keys
        .filter((key) => JSON.stringify(want[key]) !== JSON.stringify(have[key]))
        .map((key) => change([key], want[key], have[key])),
      ...Object.entries(content).map(([file, entry]) => change(["content", file], entry.want, entry.have)),
    ];
  },

  *apply(want) {
    const put = putOf(want);
    const { name, directory, url, mirrors } = want;
    yield long({
      name: workName(want),
      title: `fetch ${url}${want.unpack ? " and unpack it" : ""} to ${downloadFolder(want)}`,
      key: { directory, name, url, mirrors, put },
      script: downloadScript(want, JSON.stringify(put)),
      timeoutSeconds: 24 * 3600,
    });
  },

  *remove({ status }, { last }) {
    if (last) yield* removal(last, status as unknown as Status);
  },
});

const change = (path: Path, want: unknown, have: unknown): Change => ({
  path,
  kind: want === undefined ? "delete" : have === undefined ? "add" : "update",
  want,
  have,
});

/** Another generation in use makes this one the previous, which stays; older ones go. Otherwise all of it goes. */
function* removal(it: Want, { placed, otherGenerations }: Status): Generator<Step> {
  const others = Object.entries(otherGenerations);
  const replaced = others.some(([, { used }]) => used);
  const unused = others.filter(([, { used }]) => !used).map(([name]) => name);
  const generations = [...unused, ...(replaced && placed ? [] : [it.sha256.slice(0, 12)])];
  if (!replaced) yield stopLong(workName(it));
  if (generations.length === 0) return;
  const doomed = generations.flatMap((name) => {
    const at = { ...it, sha256: name };
    return [downloadFolder(at), recordFile(at), archiveFile(at), stagingFolder(at)];
  });
  const folders = [downloadFolder, recordFile, archiveFile, stagingFolder].map((place) =>
    place(it).replace(/\/[^/]+$/, ""),
  );
  yield run(
    sh`rm -rf -- ${doomed}
for d in ${folders}; do rmdir -p --ignore-fail-on-non-empty -- "$d" 2>/dev/null; done; true`,
    { title: `remove ${generations.map((name) => `${nameFolder(it)}/${name}`).join(", ")}` },
  );
}
