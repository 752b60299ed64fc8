import { dirname } from "node:path/posix";
import { z } from "zod";
import { type Downloaded, downloaded, type Listed } from "#facts/downloads.ts";
import { ownedItems } from "#facts/owners.ts";
import { httpAddress, sha256 } from "#inventory/kinds.ts";
import {
  type GenerationPlaces,
  type Generations,
  generationsBeside,
  removeGenerations,
} from "#provider/contract/generations.ts";
import { defineResource, type Finding, type Observation } from "#provider/contract/resource.ts";
import { long } from "#provider/contract/step.ts";
import {
  archiveFile,
  downloadFolder,
  downloadsFolder,
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
      .default(downloadsFolder)
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

/** What is shown beside the configuration. */
type DownloadStatus = {
  /** Whether the folder is there, and not only what was begun. */
  readonly placed: boolean;
  readonly otherGenerations: Generations;
};

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

const entryFinding = (file: string, text: string): Finding => ({ path: ["content", file], text });

/** Entries that are not as they were put there, by their path in the folder. */
function contentFindings({ differences, changed }: Downloaded): readonly Finding[] {
  const entries = [...differences].map(([path, { then, now }]) => {
    if (!now) return entryFinding(path, `is missing; it was a ${entryText(then as Listed, now)}`);
    if (!then) return entryFinding(path, `was not put there by us: ${entryText(now, then)}`);
    return entryFinding(
      path,
      `was changed: ${entryText(now, then)}; it was put there with ${entryText(then, now)}`,
    );
  });
  const all = [
    ...entries,
    ...changed.map((path) => entryFinding(path, "holds something else than what was put there")),
  ];
  const more = all.length - shownEntries;
  return [
    ...all.slice(0, shownEntries),
    ...(more > 0 ? [entryFinding("…", `${more} more entries differ`)] : []),
  ];
}

/** The wants as the folder shows them. What is not visible on a host, such as addresses, is as wanted. */
function seenConfig(want: Want, record: string): Partial<Want> {
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
  };
}

/**
 * A vendor's file by address and hash, as it is or unpacked. Fetched in the background of the host, so that
 * neither a lost connection nor Ctrl-C loses what is there, and complete and verified before it stands in its
 * place.
 *
 * Another content is made beside the old one before anything moves to it. When the old one leaves, it stays
 * as the previous generation until the next change; older ones go. With the last resource of the name all of
 * them go.
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

  async observe(host, want, _last, deep): Promise<Observation<Want, DownloadStatus> | undefined> {
    const [seen, owned] = await Promise.all([
      host.ask(
        downloaded(
          {
            folder: downloadFolder(want),
            record: recordFile(want),
            unfinished: [stagingFolder(want), archiveFile(want)],
          },
          deep,
        ),
      ),
      host.ask(ownedItems(item(want, ""))),
    ]);
    const status = {
      placed: seen.present,
      otherGenerations: generationsBeside(seen.others, owned, (generation) => item(want, generation)),
    };
    // What was begun, or kept for a repair, is ours to take away.
    if (!seen.present && seen.unfinished === 0) return undefined;
    if (!seen.present)
      return { config: want, findings: [entryFinding(".", "the folder is missing")], status };
    // A folder that we did not make, or not to the end.
    const unverified = [entryFinding(".", "was not verified when it was put there")];
    if (seen.record === undefined) return { config: want, findings: unverified, status };
    return { config: seenConfig(want, seen.record), findings: contentFindings(seen), status };
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
    if (!last || !status) return;
    const { placed, otherGenerations } = status;
    const generation = last.sha256.slice(0, 12);
    yield* removeGenerations({ generation, placed, others: otherGenerations }, placesOf(last));
  },
});

/** Where the generations of a name lie. */
function placesOf(it: Want): GenerationPlaces {
  const kinds = [downloadFolder, recordFile, archiveFile, stagingFolder];
  return {
    work: workName(it),
    pathsOf: (generation) => kinds.map((place) => place({ ...it, sha256: generation })),
    parents: kinds.map((place) => dirname(place(it))),
    title: (generations) => generations.map((generation) => `${nameFolder(it)}/${generation}`).join(", "),
  };
}
