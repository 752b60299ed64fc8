import { listing } from "#facts/downloads.ts";
import { type Fetch, fetchScript, lines } from "#provider/contract/fetch.ts";
import { raw, type ShellCommand, script, sh } from "#transport/command.ts";
import { archiveFile, downloadFolder, fileName, recordFile, stagingFolder } from "./places.ts";

/** What is to be put in place, and how. */
export interface Artifact {
  readonly name: string;
  readonly directory: string;
  readonly url: string;
  readonly mirrors: readonly string[];
  readonly sha256: string;
  readonly unpack?: { readonly strip: number } | undefined;
  readonly trial?: readonly string[] | undefined;
  readonly owner: string;
  readonly mode: string;
}

const functions = script(import.meta.url, "./download.sh");

/** Programs that tar calls, by the end of an archive's name, and the Debian packages that have them. */
const unpackers: readonly (readonly [RegExp, string, string])[] = [
  [/\.(tar\.xz|txz)$/, "xz", "xz-utils"],
  [/\.(tar\.zst|tzst)$/, "zstd", "zstd"],
];

/** Fails where a program is missing that unpacks this file. */
const demandUnpacker = (file: string): ShellCommand =>
  lines(
    unpackers
      .filter(([end]) => end.test(file))
      .map(
        ([, program, name]) =>
          sh`command -v ${program} > /dev/null || fail ${`unpacking ${file} needs ${program}, which this machine does not have: install the package ${name}`}`,
      ),
  );

/**
 * How much of an archive's size its content may take; told before the fetch, and reckoned exactly once the
 * archive is here.
 */
const unpackedFactor = 2;

/**
 * A script that leaves the artifact verified in its folder, to be run as a long step. The folder is made
 * complete beside its place and then moved there, with a record of what it holds.
 * @param record first line of the record, which says what was put there
 */
export function downloadScript(it: Artifact, record: string): ShellCommand {
  const file = fileName(it.url);
  const urls = [it.url, ...it.mirrors];
  const staging = stagingFolder(it);
  const folder = downloadFolder(it);
  const archive = archiveFile(it);
  const to = it.unpack ? archive : `${staging}/tree/${file}`;
  const fetch: Fetch = { label: file, to, partial: `${staging}/partial`, sha256: it.sha256, urls };
  return fetchScript({
    folder: staging,
    prepare: sh`listing() { ${listing}; }
${raw(functions.text)}
begin ${staging}
${it.unpack ? demandUnpacker(file) : sh`reuse ${`${folder}/${file}`} ${it.sha256} ${to}`}`,
    fetches: [fetch],
    ...(it.unpack ? { alsoNeeded: sh`\${total0:-0} * ${unpackedFactor}` } : {}),
    after:
      () => sh`${it.unpack ? sh`unpack ${file} ${archive} ${staging} ${it.unpack.strip}` : sh`chmod -- ${it.mode} ${to} || exit 1`}
put_in_place ${file} ${staging} ${folder} ${recordFile(it)} ${it.owner} ${record} ${it.trial ?? []}`,
  });
}
