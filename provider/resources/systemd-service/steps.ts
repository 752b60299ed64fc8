import { isDeepStrictEqual } from "node:util";
import { keepAside, putBack } from "#provider/contract/linux-steps.ts";
import type { Context, Observation } from "#provider/contract/resource.ts";
import { remove as deleted, run, type Step, write } from "#provider/contract/step.ts";
import { sh } from "#transport/command.ts";
import type { Want } from "./inputs.ts";
import { explain, waitUntilReady } from "./readiness.ts";
import { CONFIGURATION, ENVIRONMENTS, placesOf, renderEnvironmentFile, renderLink } from "./rendered.ts";

const open = { mode: "0644", owner: "root:root" };
const closed = { mode: "0600", owner: "root:root" };
// Longer than systemd waits for a unit to stop before it kills it (90 s by default).
const STOP_SECONDS = 300;

const reload = () => run(sh`systemctl daemon-reload`);
const stop = (name: string) => run(sh`systemctl stop ${name}`, { timeoutSeconds: STOP_SECONDS });

/** What stood in this unit's place before we came, as our own observation recorded it. */
const beforeOf = (context: Context<Want>, name: string) =>
  context.before(`unit ${name}`) as Partial<Want> | undefined;

const isMasked = ({ pending }: Partial<Want>) => pending?.unit?.startsWith("masked") ?? false;

/** Brings the unit, its drop-ins and its environment to what is wanted, and lets systemd read them. */
function* files(want: Want, have: Partial<Want>, before: Partial<Want> | undefined): Generator<Step> {
  const places = placesOf(want.name);
  const link = renderLink(want.name);
  if (isMasked(have)) yield run(sh`systemctl unmask ${want.name}; systemctl unmask --runtime ${want.name}`);
  const texts = [...unitAndDropIns(want, have, before)];
  const complete = have.pending !== undefined && have.pending.files === undefined;
  if (link !== undefined && !complete) texts.push(write(places.link, link, open));
  yield* texts;
  if (texts.length > 0 || have.pending?.reload || have.pending?.unit) yield reload();
  // After the reload: only then does what a process finds in it also speak of the unit it was started from.
  if (link !== undefined) yield write(places.environment, renderEnvironmentFile(want), closed);
}

function* unitAndDropIns(
  want: Want,
  have: Partial<Want>,
  before: Partial<Want> | undefined,
): Generator<Step> {
  const places = placesOf(want.name);
  if (have.unit !== want.unit)
    yield* text(places.unit, want.unit ?? before?.unit, { have: have.unit, before: before?.unit });
  for (const file of new Set([...Object.keys(want.dropIns), ...Object.keys(have.dropIns ?? {})])) {
    // Beside a unit of ours no other drop-in stands; beside a package's unit the one we replaced comes back.
    const now = want.dropIns[file] ?? (want.unit === undefined ? before?.dropIns?.[file] : undefined);
    const was = { have: have.dropIns?.[file], before: before?.dropIns?.[file] };
    if (was.have !== now) yield* text(`${places.dropIns}/${file}`, now, was);
  }
}

/** What stood there before is kept with its mode and owner while ours is in its place. */
function* text(
  path: string,
  content: string | undefined,
  { have, before }: { have: string | undefined; before: string | undefined },
): Generator<Step> {
  if (before !== undefined && have === before) yield keepAside(path);
  yield content === undefined ? deleted(path) : write(path, content, open);
  if (before !== undefined && content === before) yield putBack(path);
}

/** Whether what a process is started with is not what the running one has. */
function outdated(want: Want, have: Partial<Want>): boolean {
  const same = (key: "unit" | "dropIns" | "environment" | "restartOn") =>
    isDeepStrictEqual(have[key], want[key]);
  const pending = have.pending ?? {};
  return (
    !(same("unit") && same("dropIns") && same("environment") && same("restartOn")) ||
    ["files", "unit", "restart", "loop"].some((key) => key in pending)
  );
}

export function* apply(
  want: Want,
  seen: Observation<Want> | undefined,
  context: Context<Want>,
): Generator<Step> {
  const have = seen?.config ?? {};
  const { name } = want;
  const places = placesOf(name);
  const changed = outdated(want, have);
  const start = want.running && (changed || !have.running);

  if (changed || start)
    yield run(sh`install -d -m 0755 ${places.dropIns} && install -d -m 0700 ${ENVIRONMENTS} /run/gpu-hosts`);
  if (start) yield write(places.owed, "restart\n", closed);
  if (changed) yield* files(want, have, beforeOf(context, name));
  else if (have.pending?.reload) yield reload();
  yield* boot(want, have);
  yield* want.running ? running(want, have, start) : stopped(name, have);
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

function* running(want: Want, have: Partial<Want>, start: boolean): Generator<Step> {
  if (start) yield* started(want, have.running ? "restart" : "start");
  if (!start && !have.pending?.readiness) return;
  yield waitUntilReady(want);
  yield deleted(placesOf(want.name).owed);
}

function* started(want: Want, verb: "start" | "restart"): Generator<Step> {
  // Not blocking: a unit may wait for other hosts before it starts. One that hit its start limit is let go first.
  const command = sh`systemctl reset-failed ${want.name} 2>/dev/null; systemctl ${verb} --no-block ${want.name}`;
  yield run(command, { explain: explain(want) });
  yield write(placesOf(want.name).owed, "readiness\n", closed);
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
    if (now !== was) yield* text(path, was, { have: now, before: was });
    // A run that broke off may have written the text and not come to mode and owner.
    else if (was !== undefined) yield putBack(path);
  }
}

export function* remove(seen: Observation<Want>, context: Context<Want>): Generator<Step> {
  const have = seen.config;
  const name = have.name ?? context.last?.name ?? "";
  const found = beforeOf(context, name) ?? {};
  const masked = isMasked(found);
  // The unit file of a masked unit is the mask.
  const before = masked ? { ...found, unit: undefined } : found;
  const places = placesOf(name);

  if (have.running && !before.running) yield stop(name);
  if (have.enabled && !before.enabled) yield run(sh`systemctl disable ${name}`);
  yield* originals(name, have, before);
  const { link, dropIns, environment, owed } = places;
  for (const path of [link, dropIns, environment, ENVIRONMENTS, CONFIGURATION, owed]) yield deleted(path);
  yield reload();
  yield run(sh`systemctl reset-failed ${name} 2>/dev/null; true`);
  if (masked) yield run(sh`systemctl mask --quiet ${name}`);
  if (before.enabled && !have.enabled) yield run(sh`systemctl enable ${name}`);
  if (before.running) yield run(sh`systemctl restart --no-block ${name}`);
}
