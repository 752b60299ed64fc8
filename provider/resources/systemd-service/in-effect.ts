import { basename, dirname } from "node:path/posix";
import type { UnitProcess } from "#facts/running-files.ts";
import type { UnitInEffect } from "#facts/unit-in-effect.ts";
import type { Finding } from "#provider/contract/resource.ts";
import { differsFromStarts } from "./exec-start.ts";
import type { Want } from "./inputs.ts";
import { placesOf, renderLink } from "./rendered.ts";

// What systemd makes of a unit whose text is ours: from where it reads it, what it merges into it, what it
// runs.

/** First part of a finding's path: a file of others that systemd reads for the unit. The second is the file. */
export const merged = "merged";
/** First part of a finding's path: a file of ours with the right content, that is not as we wrote it. */
export const ownFile = "file";

const kindOf = (name: string) => name.slice(name.lastIndexOf("."));
const templateOf = (name: string) =>
  name.includes("@") ? `${name.slice(0, name.indexOf("@") + 1)}${kindOf(name)}` : name;

/** Files of packages and of generators come back by themselves, so they are overridden, not deleted. */
const comesBack = (path: string) => path.startsWith("/usr/") || path.startsWith("/run/systemd/generator");

/** Whether a file speaks of this unit alone, or of the instances of its template. */
function isOwn(name: string, path: string): boolean {
  const folder = basename(dirname(path));
  return basename(path) === name || [name, templateOf(name)].some((one) => folder === `${one}.d`);
}

/** Whether a file of others can go; else it is overridden for this unit, since others read it too. */
export const isDeletable = (name: string, path: string): boolean => isOwn(name, path) && !comesBack(path);

/** A drop-in for all units of a kind that somebody else than the administrator made: containers have them. */
const isOfTheMachine = (name: string, path: string) =>
  basename(dirname(path)) === `${kindOf(name).slice(1)}.d` && !path.startsWith("/etc/");

/** Names of what a drop-in sets; its values may be secrets. */
function directivesIn(text: string): string {
  const names = [...text.matchAll(/^[ \t]*([A-Z]\w*)[ \t]*=/gm)].map(([, name = ""]) => name);
  return [...new Set(names)].join(", ") || "nothing";
}

/** Files of others that systemd reads for a unit of ours, or would with its next daemon-reload: path → text. */
export function foreignFiles(want: Want, seen: UnitInEffect): ReadonlyMap<string, string> {
  if (want.unit === undefined) return new Map();
  const { name } = want;
  const places = placesOf(name);
  const ours = new Set([...Object.keys(want.dropIns), basename(places.link)]);
  const isOverridden = (path: string) =>
    seen.files.get(`${places.dropIns}/${basename(path)}`)?.target === "/dev/null";
  const found = new Map<string, string>();
  for (const [path, { merged, text }] of seen.files) {
    if (!path.endsWith(".conf") || dirname(path) === places.dropIns || isOfTheMachine(name, path)) continue;
    const waits = (seen.needsReload || seen.load !== "loaded") && !isOverridden(path);
    // Of the same name as one of ours, it may stand before ours and hide it.
    if (merged || waits || (isOwn(name, path) && ours.has(basename(path)) && !comesBack(path)))
      found.set(
        path,
        `${path} is not ours, and systemd merges it into the unit: it sets ${directivesIn(text)}`,
      );
  }
  const gone = seen.dropIns.filter((path) => !seen.files.has(path) && !isOfTheMachine(name, path));
  for (const path of gone) found.set(path, `${path} is gone, yet systemd goes on with it`);
  const { fragment } = seen;
  if (seen.load === "loaded" && ![places.unit, ""].includes(fragment) && isDeletable(name, fragment))
    found.set(fragment, `${fragment} is not ours, and systemd reads it in place of ${places.unit}`);
  return found;
}

/** Our own files of the unit: plain ones, which root alone may change. */
function* wrongOwnFiles(want: Want, seen: UnitInEffect): Generator<Finding> {
  const places = placesOf(want.name);
  const texts = ownTexts(want);
  for (const [path, text] of texts) {
    const file = seen.files.get(path);
    // One with another text is written anew anyway.
    if (file === undefined || file.text !== text) continue;
    if (file.type === "symlink")
      yield { path: [ownFile, path], text: `${path} is a link to ${file.target}, should be a file` };
    else if (file.mode !== "644" || file.owner !== "root:root")
      yield {
        path: [ownFile, path],
        text: `${path} is ${file.mode} ${file.owner}, should be 644 root:root`,
      };
  }
  const unread = [...texts.keys()].find(
    (path) => path !== places.unit && seen.files.has(path) && !seen.dropIns.includes(path),
  );
  if (unread !== undefined && seen.load === "loaded" && !seen.needsReload)
    yield { path: ["reload"], text: `systemd has not read ${unread}` };
}

/** Text of each file in the unit's folder that is ours, by path. */
export function ownTexts(want: Want): ReadonlyMap<string, string> {
  const places = placesOf(want.name);
  const link = renderLink(want.name);
  return new Map([
    ...(want.unit === undefined ? [] : [[places.unit, want.unit] as const]),
    ...Object.entries(want.dropIns).map(([file, text]) => [`${places.dropIns}/${file}`, text] as const),
    ...(link === undefined ? [] : [[places.link, link] as const]),
  ]);
}

/** All that is wrong with how systemd has the unit. */
export function effectFindings(want: Want, seen: UnitInEffect): readonly Finding[] {
  const foreign = [...foreignFiles(want, seen)].map(([path, text]) => ({ path: [merged, path], text }));
  const own = [...wrongOwnFiles(want, seen)];
  const textsAsWanted = [...ownTexts(want)].every(([path, text]) => seen.files.get(path)?.text === text);
  // Where a file is another one, that is why.
  const command =
    foreign.length === 0 && textsAsWanted && seen.load === "loaded"
      ? differsFromStarts(want, seen.starts)
      : undefined;
  return [...foreign, ...own, ...(command === undefined ? [] : [{ path: ["command"], text: command }])];
}

/** What a server computes with; a replaced libc alone is no reason to load a model anew. */
const kernels = /^lib(ggml|llama|mtmd|cublas|cudart|cudnn|nccl|rocblas|hipblas|vulkan)[^/]*\.so/;

/** What we put on a machine. */
const installed = /^\/var\/lib\/gpu-hosts\/(models|downloads|builds)\//;

/** Logs are rotated, and caches, which lie in hidden folders of a home, come and go. */
const scratch = /^\/(tmp|run|var\/(log|tmp|cache))\/|\.(log|tmp|lock|pid)$|\/\./;

/**
 * Why the processes of a unit do not use what stands on the machine now: they still have the program, the
 * model or a library with kernels as it was before somebody replaced it.
 */
export function staleFile(want: Want, processes: readonly UnitProcess[]): string | undefined {
  const named = [want.unit, ...Object.values(want.dropIns), ...Object.values(want.restartOn)].join("\n");
  const counts = ({ path, program }: UnitProcess["files"][number]) =>
    program ||
    (!scratch.test(path) && (installed.test(path) || kernels.test(basename(path)) || named.includes(path)));
  const stale = processes.flatMap(({ files }) => files).find((file) => file.stale && counts(file));
  return stale && `runs with a file that was replaced: ${stale.path}`;
}
