import { basename, dirname } from "node:path/posix";
import { isDeepStrictEqual } from "node:util";
import { journalOf } from "#facts/systemd.ts";
import { keepAside, putBack } from "#provider/contract/linux-steps.ts";
import { type Context, findingAt, type Observation } from "#provider/contract/resource.ts";
import { remove as deleted, run, type Step, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import { isDeletable, merged, ownFile, ownTexts } from "./in-effect.ts";
import type { Want } from "./inputs.ts";
import type { Original, UnitStatus } from "./observe.ts";
import { waitUntilReady } from "./readiness.ts";
import {
  configurationFolder,
  environmentFolder,
  placesOf,
  renderEnvironmentFile,
  renderLink,
} from "./rendered.ts";

const open = { mode: "0644", owner: "root:root" };
const closed = { mode: "0600", owner: "root:root" };
// Longer than systemd waits for a unit to stop before it kills it (90 s by default).
const stopSeconds = 300;

const reload = () => run(sh`systemctl daemon-reload`);
const stop = (name: string) => run(sh`systemctl stop ${name}`, { timeoutSeconds: stopSeconds });

type Seen = Observation<Want, UnitStatus>;

/** As release 0.1.0 recorded it: that the unit was masked stood among the words of `pending`. */
type Recorded = Partial<Original> & { readonly pending?: { readonly unit?: string } };

/** What stood in this unit's place before we came, as our own observation recorded it. */
function originalOf(context: Context<Want>, name: string): Original | undefined {
  const recorded = context.before(`unit ${name}`) as Recorded | undefined;
  if (recorded === undefined) return undefined;
  const { pending, masked = pending?.unit?.startsWith("masked") ?? false, ...rest } = recorded;
  return { ...rest, masked };
}

/** Brings the unit, its drop-ins and its environment to what is wanted, and lets systemd read them. */
function* files(want: Want, seen: Seen | undefined, before: Original | undefined): Generator<Step> {
  const places = placesOf(want.name);
  const link = renderLink(want.name);
  const have = seen?.config ?? {};
  if (seen?.status?.load === "masked")
    yield run(sh`systemctl unmask ${want.name}; systemctl unmask --runtime ${want.name}`);
  const texts = [...unitAndDropIns(want, have, before)];
  if (link !== undefined && (!seen || findingAt(seen, "files"))) texts.push(write(places.link, link, open));
  texts.push(...foreign(want.name, seen, before), ...ownFiles(want, seen, before));
  yield* texts;
  const unread = seen?.status?.reload || ["reload", "unit", "command"].some((key) => findingAt(seen, key));
  if (texts.length > 0 || unread) yield reload();
  // After the reload: only then does what a process finds in it also speak of the unit it was started from.
  if (link !== undefined) yield write(places.environment, renderEnvironmentFile(want), closed);
}

const pathsAt = (seen: Seen | undefined, kind: string): readonly string[] =>
  (seen?.findings ?? []).flatMap(({ path: [first, file] }) => (first === kind ? [String(file)] : []));

/** Takes away what others merge into the unit, or hides it from this one unit where others have it too. */
function* foreign(name: string, seen: Seen | undefined, before: Original | undefined): Generator<Step> {
  for (const path of pathsAt(seen, merged)) {
    if (before?.elsewhere?.includes(path)) yield keepAside(path);
    if (isDeletable(name, path)) yield deleted(path);
    else yield run(sh`ln -sfn /dev/null ${`${placesOf(name).dropIns}/${basename(path)}`}`);
  }
}

/** Writes those files of ours anew that have the right text, but are links or open to others. */
function* ownFiles(want: Want, seen: Seen | undefined, before: Original | undefined): Generator<Step> {
  const places = placesOf(want.name);
  const texts = ownTexts(want);
  for (const path of pathsAt(seen, ownFile)) {
    const content = texts.get(path) ?? "";
    const was = path === places.unit ? before?.unit : before?.dropIns?.[basename(path)];
    if (was === content) yield keepAside(path);
    yield write(path, content, open);
  }
}

function* unitAndDropIns(
  want: Want,
  have: Partial<Want>,
  before: Partial<Want> | undefined,
): Generator<Step> {
  const places = placesOf(want.name);
  if (have.unit !== want.unit)
    yield* text(places.unit, want.unit ?? before?.unit, {
      have: have.unit,
      before: before?.unit,
      isOurs: want.unit !== undefined,
    });
  for (const file of new Set([...Object.keys(want.dropIns), ...Object.keys(have.dropIns ?? {})])) {
    // Beside a unit of ours no other drop-in stands; beside a package's unit the one we replaced comes back.
    const now = want.dropIns[file] ?? (want.unit === undefined ? before?.dropIns?.[file] : undefined);
    const was = {
      have: have.dropIns?.[file],
      before: before?.dropIns?.[file],
      isOurs: file in want.dropIns,
    };
    if (was.have !== now) yield* text(`${places.dropIns}/${file}`, now, was);
  }
}

/**
 * What stood there before is kept with its mode and owner while ours is in its place, even one of the same
 * text.
 */
function* text(
  path: string,
  content: string | undefined,
  { have, before, isOurs }: { have: string | undefined; before: string | undefined; isOurs: boolean },
): Generator<Step> {
  if (before !== undefined && have === before) yield keepAside(path);
  yield content === undefined ? deleted(path) : write(path, content, open);
  if (!isOurs && before !== undefined && content === before) yield putBack(path);
}

/** Whether what a process is started with is not what the running one has. */
function outdated(want: Want, seen: Seen | undefined): boolean {
  const same = (key: "unit" | "dropIns" | "environment" | "restartOn") =>
    isDeepStrictEqual(seen?.config[key], want[key]);
  return (
    !(same("unit") && same("dropIns") && same("environment") && same("restartOn")) ||
    ["files", "unit", "restart", "loop", "reload", "command"].some((key) => findingAt(seen, key)) ||
    pathsAt(seen, merged).length > 0
  );
}

export function* apply(want: Want, seen: Seen | undefined, context: Context<Want>): Generator<Step> {
  const have = seen?.config ?? {};
  const { name } = want;
  const places = placesOf(name);
  const changed = outdated(want, seen);
  const start = want.running && (changed || !have.running);

  if (changed || start)
    yield run(
      sh`install -d -m 0755 ${places.dropIns} && install -d -m 0700 ${environmentFolder} /run/gpu-hosts`,
    );
  if (start) yield write(places.owed, "restart\n", closed);
  if (changed) yield* files(want, seen, originalOf(context, name));
  else yield* untouchedProcess(want, seen, originalOf(context, name));
  yield* boot(want, have);
  yield* want.running ? running(want, seen, start) : stopped(name, have);
}

/** What can be put right while the process goes on. */
function* untouchedProcess(
  want: Want,
  seen: Seen | undefined,
  before: Original | undefined,
): Generator<Step> {
  const mended = [...ownFiles(want, seen, before)];
  yield* mended;
  if (mended.length > 0 || seen?.status?.reload) yield reload();
}

function* boot(want: Want, have: Partial<Want>): Generator<Step> {
  if ((have.enabled ?? false) !== want.enabled)
    yield run(sh`systemctl ${want.enabled ? "enable" : "disable"} ${want.name}`);
  // Its [Install] section may name another target now; the old link would stay.
  else if (want.enabled && have.unit !== want.unit) yield run(sh`systemctl reenable ${want.name}`);
}

function* stopped(name: string, have: Partial<Want>): Generator<Step> {
  if (have.running) yield stop(name);
}

function* running(want: Want, seen: Seen | undefined, start: boolean): Generator<Step> {
  if (start) yield* started(want, seen?.config.running ? "restart" : "start");
  if (!start && !findingAt(seen, "readiness")) return;
  yield waitUntilReady(want);
  yield deleted(placesOf(want.name).owed);
}

function* started(want: Want, verb: "start" | "restart"): Generator<Step> {
  // Not blocking: a unit may wait for other hosts before it starts. One that hit its start limit is let go
  // first.
  const command = sh`systemctl reset-failed ${want.name} 2>/dev/null; systemctl ${verb} --no-block ${want.name}`;
  yield run(command, { explain: journalOf(want.name) });
  yield write(placesOf(want.name).owed, "readiness\n", closed);
}

/** What was merged into the unit from elsewhere before us. */
function* putBackElsewhere({ elsewhere = [] }: Original): Generator<Step> {
  for (const path of elsewhere) {
    yield run(sh`mkdir -p -- ${dirname(path)}`);
    yield putBack(path);
  }
}

/** Back to the texts that stood there before us. */
function* originals(name: string, have: Partial<Want>, before: Partial<Want>): Generator<Step> {
  const places = placesOf(name);
  const texts = [
    [places.unit, have.unit, before.unit] as const,
    ...Object.keys({ ...have.dropIns, ...before.dropIns }).map(
      (file) => [`${places.dropIns}/${file}`, have.dropIns?.[file], before.dropIns?.[file]] as const,
    ),
  ];
  for (const [path, now, was] of texts) {
    if (now !== was) yield* text(path, was, { have: now, before: was, isOurs: false });
    // A run that broke off may have written the text and not come to mode and owner.
    else if (was !== undefined) yield putBack(path);
  }
}

export function* remove(seen: Seen, context: Context<Want>): Generator<Step> {
  const have = seen.config;
  const name = have.name ?? context.last?.name ?? "";
  const found: Original = originalOf(context, name) ?? { masked: false };
  const { masked } = found;
  // The unit file of a masked unit is the mask.
  const before = masked ? { ...found, unit: undefined } : found;
  const places = placesOf(name);

  if (have.running && !before.running) yield stop(name);
  if (have.enabled && !before.enabled) yield run(sh`systemctl disable ${name}`);
  // While systemd still knows from the unit which folder it is.
  if (have.unit?.includes("\nCacheDirectory=") && before.unit === undefined)
    yield run(sh`systemctl clean --what=cache ${name}`);
  yield* originals(name, have, before);
  yield* putBackElsewhere(before);
  const { link, dropIns, environment, owed } = places;
  // What we hid from this unit.
  yield run(sh`[ ! -d ${dropIns} ] || find ${dropIns} -type l -lname /dev/null -delete`);
  for (const path of [link, dropIns, environment, environmentFolder, configurationFolder, owed])
    yield deleted(path);
  yield reload();
  yield run(sh`systemctl reset-failed ${name} 2>/dev/null; true`);
  // Of a socket that starts one instance a connection systemd keeps the slice of the instances.
  if (name.endsWith(".socket")) {
    const instances = name.slice(0, -".socket".length);
    yield run(sh`systemctl stop "system-$(systemd-escape -- ${instances}).slice" 2>/dev/null; true`);
  }
  if (masked) yield run(sh`systemctl mask --quiet ${name}`);
  if (before.enabled && !have.enabled) yield run(sh`systemctl enable ${name}`);
  if (before.running) yield run(sh`systemctl restart --no-block ${name}`);
}
