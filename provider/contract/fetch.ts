import { raw, type ShellCommand, script, sh } from "#transport/command.ts";

/** One file to have on a host: from the first of its addresses that delivers the right content. */
export interface Fetch {
  /** What operators call it, in progress and errors. */
  readonly label: string;
  /** Where it is to lie. */
  readonly to: string;
  /** Where it grows until its hash is right; on the same file system, so that it ends in a rename. */
  readonly partial: string;
  readonly sha256: string;
  /** Tried in order. */
  readonly urls: readonly string[];
}

/** Commands one a line, those that hold none left out. */
export const lines = (commands: readonly ShellCommand[]): ShellCommand => ({
  text: commands
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join("\n"),
});

/**
 * What fetching scripts share. `curl --continue-at` resumes; a server that cannot is asked for all of it
 * again. curl's own --retry would begin at the first offset again, so the loop is ours: it goes on while
 * bytes come, and gives an address up after 8 attempts without a new one, after 3 while there is another
 * address.
 */
const functions = script(import.meta.url, "./fetch.sh");

/** Before the fetches: asks the servers for the sizes and makes `$need` the bytes that are still to come. */
const measureSizes = (fetches: readonly Fetch[]): ShellCommand => sh`need=0
${lines(
  fetches.map(
    ({ to, partial, urls }, index) =>
      sh`total${index}=$(lengths ${urls}); left=$((\${total${index}:-0} - $(size ${partial})))
[ $left -le 0 ] || [ -f ${to} ] || need=$((need + left))`,
  ),
)}`;

/** What a script that fetches is made of, in this order. */
export interface FetchScript {
  /** Folder on whose file system everything lands; it exists once `prepare` is done. */
  readonly folder: string;
  /** Makes folders; `fail` and the other functions are known by then. */
  readonly prepare: ShellCommand;
  readonly fetches: readonly Fetch[];
  /**
   * What else must fit beside the bytes to come, as shell arithmetic in which `$total0` is the first file's
   * size.
   * @default nothing
   */
  readonly alsoNeeded?: ShellCommand;
  /** Done after each file, with its index in `fetches`; a failure is to exit. */
  readonly after?: (fetch: Fetch, index: number) => ShellCommand;
}

/**
 * A script that leaves every file verified in its place, to be run as a long step: resumes what is half
 * there, tells before the first byte when the disk is too small, moves a file in place only when its hash is
 * right.
 */
export function fetchScript({ folder, prepare, fetches, alsoNeeded, after }: FetchScript): ShellCommand {
  return sh`${raw(functions.text)}
${prepare}
${measureSizes(fetches)}
${alsoNeeded ? sh`need=$((need + ${alsoNeeded}))` : sh``}
room ${folder} "$need" "to fetch"
${lines(
  fetches.flatMap((it, index) => [
    sh`fetch ${it.label} ${it.to} ${it.partial} ${it.sha256} "$total${index}" ${it.urls}`,
    after?.(it, index) ?? sh``,
  ]),
)}`;
}
