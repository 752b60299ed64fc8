import { createHash } from "node:crypto";
import { z } from "zod";
import { type StampedFile, type StampedPlaces, stampedFiles } from "#facts/model-files.ts";
import { httpAddress, relativeFile, sha256 } from "#inventory/kinds.ts";
import { longUnits, stopLong } from "#provider/contract/linux-steps.ts";
import { defineResource, type Finding, findingAt } from "#provider/contract/resource.ts";
import { long, run, type Step } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import { modelScript, type Wanted } from "./fetch.ts";
import {
  defaultModelsFolder,
  type ModelPlace,
  modelFile,
  modelFolder,
  partialFolder,
  stampsFolder,
} from "./places.ts";

const inputs = z.strictObject({
  name: relativeFile.describe(
    "Repository on the hub, such as Qwen/Qwen2.5-7B-Instruct-GGUF; with `url` a name of yours.",
  ),
  revision: z
    .string()
    .regex(/^[\w][\w.-]*$/, "must be one plain name")
    .describe("Commit of the repository; with `url` any label. Another revision lands in another folder."),
  source: z
    .discriminatedUnion("kind", [
      z.strictObject({
        kind: z.literal("hub"),
        endpoint: httpAddress
          .default("https://huggingface.co")
          .describe("Address of the hub or of a mirror of it."),
      }),
      z.strictObject({
        kind: z.literal("url"),
        url: httpAddress.describe("Folder that holds the files; a file's name is added to it."),
        mirrors: z.array(httpAddress).default([]).describe("Other such folders, tried in order."),
      }),
    ])
    .prefault({ kind: "hub" })
    .describe("Where the files come from. Another source of the same files changes nothing on the host."),
  token: z
    .string()
    .regex(/^[^\s"\\]+$/)
    .optional()
    .describe("Sent as bearer token; gated repositories need one."),
  files: z
    .record(relativeFile, sha256)
    .refine((files) => Object.keys(files).length > 0, "needs at least one file")
    .describe("File name → sha256 of its content."),
  directory: z
    .string()
    .regex(/^\/[^\0\n]*[^/]$/, "must be an absolute path")
    .default(defaultModelsFolder)
    .describe("Folder of all models; a model lands in <directory>/<name>/<revision>."),
  purge: z.boolean().default(false).describe("Delete the files when they leave the configuration."),
});
type Want = z.output<typeof inputs>;

function urlsOf({ source, name, revision }: Want, file: string): string[] {
  const path = file.split("/").map(encodeURIComponent).join("/");
  if (source.kind === "hub")
    return [`${source.endpoint.replace(/\/+$/, "")}/${name}/resolve/${revision}/${path}`];
  return [source.url, ...source.mirrors].map((folder) => `${folder.replace(/\/+$/, "")}/${path}`);
}

/**
 * What is wrong with a file that is not known to have its hash; `undefined`: it is as it was verified, or not
 * there.
 */
function wrongWith(file: StampedFile | undefined): string | undefined {
  const { size, verified, unfinished } = file ?? {};
  if (unfinished !== undefined) return `is not fetched to the end (${unfinished} bytes)`;
  if (size === undefined || verified?.since === "untouched") return undefined;
  if (verified?.since === "touched")
    return `was touched after it was verified (${size} bytes); \`drift --deep\` compares what it holds, \`up\` notes it`;
  return `${verified ? "was changed after it was verified" : "was not verified"} (${size} bytes)`;
}

/**
 * As release 0.1.0 recorded a file of which only a part was there before us; today that counts as nothing.
 */
const wasUnfinished = (before: unknown) => typeof before === "string" && before.startsWith("unfinished");

const itemName = (want: ModelPlace, file: string) => `model ${modelFile(want, file)}`;

/**
 * Files of one model at one revision, each with the hash it must have. Fetched in the background of the host,
 * so that neither a lost connection nor Ctrl-C loses what is there; an unfinished file is resumed.
 *
 * Another revision is fetched beside the old one before anything moves to it. Files outlive this resource
 * unless `purge`, what is not complete goes with it; other generations are listed in `status`.
 */
export const modelFiles = defineResource({
  type: "ModelFiles",
  version: 1,
  inputs,
  identity: ["name", "revision", "directory"],
  deleteBeforeReplace: false,
  id: (want) => modelFolder(want),
  items: ({ name, revision, directory, files = {} }) =>
    name === undefined || revision === undefined
      ? []
      : Object.keys(files).map((file) => ({
          name: itemName({ name, revision, directory }, file),
          path: ["files", file],
          shared: true,
        })),

  async observe(host, want, last, deep) {
    // Dropped files stay unless they are to be purged, so they are none of our business.
    const names = [
      ...new Set([...Object.keys(want.files), ...Object.keys((want.purge && last?.files) || {})]),
    ];
    const seen = await host.ask(stampedFiles(lookedAt(want), names, deep));
    const there = names.flatMap((name) => {
      const file = seen.files.get(name);
      return file && (file.size !== undefined || file.unfinished !== undefined) ? [{ name, file }] : [];
    });
    if (there.length === 0) return undefined;
    // Of a file that was not verified nobody knows the hash.
    const hashOf = (name: string, { verified }: StampedFile) =>
      (verified?.since === "untouched" ? verified.sha256 : undefined) ??
      want.files[name] ??
      last?.files[name] ??
      "";
    const unfinished = there.filter(({ file }) => file.size === undefined).map(({ name }) => name);
    const others = [...seen.generations].filter(([name]) => name !== want.revision);
    return {
      config: {
        ...want,
        files: Object.fromEntries(there.map(({ name, file }) => [name, hashOf(name, file)])),
      },
      findings: there.flatMap(({ name, file }): Finding[] => {
        const text = name in want.files ? wrongWith(file) : undefined;
        return text === undefined ? [] : [{ path: ["files", name], text }];
      }),
      status: { otherGenerations: Object.fromEntries(others), unfinished },
      originals: Object.fromEntries(unfinished.map((name) => [itemName(want, name), null])),
    };
  },

  *apply(want, have, { before }) {
    const downloads: Wanted[] = Object.entries(want.files)
      .filter(([file, hash]) => have?.config.files?.[file] !== hash || findingAt(have, "files", file))
      .map(([file, hash]) => ({ file, sha256: hash, urls: urlsOf(want, file) }));
    if (downloads.length > 0) {
      yield long({
        name: workName(want),
        key: { directory: want.directory, downloads },
        script: modelScript(want, downloads),
        timeoutSeconds: 24 * 3600,
        ...(want.token === undefined ? {} : { stdin: `${want.token}\n` }),
      });
    }
    const dropped = Object.keys(have?.config.files ?? {}).filter((file) => !(file in want.files));
    yield* purge(want, dropped, before);
  },

  *remove({ config, status }, { last, before }) {
    const want = { ...last, ...config } as Want;
    const begun = (status?.unfinished ?? []).filter((file) => file in (config.files ?? {}));
    yield* abandon(want, begun);
    if (last?.purge ?? config.purge) yield* purge(want, Object.keys(config.files ?? {}), before);
  },
});

/** Where the files of a model are looked for, and the work that brings them. */
export const lookedAt = (want: Want): StampedPlaces => ({
  folder: modelFolder(want),
  stamps: stampsFolder(want),
  partials: partialFolder(want),
  units: longUnits(workName(want)),
});

/**
 * Name of the background work. Two models never share it, nor two choices of files of one, which would stop
 * each other's work; another revision of the same files does. A person can tell which it is.
 */
function workName({ name, directory, files }: Want): string {
  const all = JSON.stringify([directory, name, ...Object.keys(files).sort()]);
  const hash = createHash("sha256").update(all).digest("hex").slice(0, 8);
  return `model-${name.replaceAll(/[^\w]+/g, "-").slice(0, 60)}-${hash}`;
}

/**
 * Ends the work on files that are not complete, which Ctrl-C left to itself, and deletes what is here of
 * them.
 */
function* abandon(want: Want, files: readonly string[]): Generator<Step> {
  if (files.length === 0) return;
  yield stopLong(workName(want));
  yield* deletion(
    want,
    files.map((file) => `${partialFolder(want)}/${file}`),
  );
}

/** Deletes files that were not there before us, and their stamps. */
function* purge(want: Want, files: readonly string[], before: (item: string) => unknown): Generator<Step> {
  const was = (file: string) => before(itemName(want, file));
  const ours = files.filter((file) => was(file) === undefined || wasUnfinished(was(file)));
  yield* deletion(
    want,
    foldersOf(want).flatMap((folder) => ours.map((file) => `${folder}/${file}`)),
  );
}

const foldersOf = (want: Want) => [modelFolder(want), stampsFolder(want), partialFolder(want)];

/** Deletes files of a model and the folders that are empty then. */
function* deletion(want: Want, all: readonly string[]): Generator<Step> {
  if (all.length === 0) return;
  const tops = ["", ".verified/", ".partial/"].map((kind) => `${kind}${want.name}`);
  yield run(sh`rm -f -- ${all}
for d in ${foldersOf(want)}; do [ ! -d "$d" ] || find "$d" -depth -type d -empty -delete; done
cd ${want.directory} && for d in ${tops}; do rmdir -p --ignore-fail-on-non-empty -- "$d" 2>/dev/null; done; true`);
}
