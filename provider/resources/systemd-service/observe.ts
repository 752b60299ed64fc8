import { isDeepStrictEqual } from "node:util";
import { type Credential, changedCredentials } from "#facts/credentials.ts";
import { runningFiles, type UnitProcess } from "#facts/running-files.ts";
import { lastLineOf, showUnit, type TextFile, type Unit, unitFiles } from "#facts/systemd.ts";
import { type UnitInEffect, unitInEffect } from "#facts/unit-in-effect.ts";
import { findingsOf, type Observation } from "#provider/contract/resource.ts";
import type { Host } from "#transport/host.ts";
import { parseEnvironment } from "./environment-file.ts";
import { effectFindings, foreignFiles, staleFile } from "./in-effect.ts";
import type { Want } from "./inputs.ts";
import { parseStarted, placesOf, renderLink, type Started, startedBy, startedVariable } from "./rendered.ts";

/** A unit that systemd restarted this often and that is up for less than a minute is in a loop. */
const loopRestarts = 3;

/**
 * What the facts say of one unit; `unit.started` is the raw {@link startedVariable} of the running process.
 */
interface Seen {
  readonly unit: Unit;
  readonly effect: UnitInEffect;
  readonly processes: readonly UnitProcess[];
  /** Files of credentials that changed since it was started. */
  readonly credentials: readonly string[];
  readonly files: ReadonlyMap<string, TextFile>;
  /** The last line of its present run, of a unit that is between two states. */
  readonly said: string;
}

/** Shown beside the configuration. */
export type UnitStatus = {
  /** Whether systemd could load the unit file: `loaded`, `masked`, `bad-setting` … */
  readonly load: string;
  readonly state: string;
  /** Whether it starts at boot, in systemd's words. */
  readonly file: string;
  /** A file of it was written since systemd read it; with another content that is a finding. */
  readonly reload?: true;
  readonly since?: string;
  /** How the last run ended, of a unit that has failed. */
  readonly result?: string;
};

/** As the owners record keeps a unit that was there before us. */
export type Original = Partial<Want> & {
  readonly masked: boolean;
  /** Drop-ins of it elsewhere than in /etc/systemd/system, by path. */
  readonly elsewhere?: readonly string[];
};

export async function observe(
  host: Host,
  want: Want,
  last: Want | undefined,
): Promise<Observation<Want, UnitStatus> | undefined> {
  const { environment, owed } = placesOf(want.name);
  const { name } = want;
  const hasProcesses = name.endsWith(".service");
  const named = credentialsIn(want);
  const [unit, files, effect, processes, credentials] = await Promise.all([
    host.ask(showUnit(name, startedVariable)),
    host.ask(unitFiles(name, [environment, owed])),
    host.ask(unitInEffect(name)),
    hasProcesses ? host.ask(runningFiles(name)) : [],
    named.length > 0 ? host.ask(changedCredentials(name, named)) : [],
  ]);
  const said = isMoving(unit) ? await host.ask(lastLineOf(name)) : "";
  return judge(want, last, { unit, files, effect, processes, credentials, said });
}

/** Between two states: what it is in now says little. */
const isMoving = ({ queued, active }: Unit) =>
  queued || ["activating", "deactivating", "reloading"].includes(active);

/** On the way to what: in the words of the unit's own last line, if it said any. */
function movement({ unit: { active, sub }, said }: Seen): string {
  const doing = active === "deactivating" ? "stopping" : active === "reloading" ? "reloading" : "starting";
  return said === "" ? `${doing} (${sub})` : `${doing}: ${said}`;
}

/** Files that our text hands to the service. */
const credentialsIn = ({ unit = "", dropIns }: Want): readonly Credential[] =>
  [unit, ...Object.values(dropIns)].flatMap((text) =>
    [...text.matchAll(/^LoadCredential=([\w.-]+):(\/\S+)$/gm)].map(([, id = "", path = ""]) => ({
      id,
      path,
    })),
  );

const sameFiles = (want: Want, have: Own) =>
  have.unit === want.unit &&
  isDeepStrictEqual(have.dropIns, want.dropIns) &&
  isDeepStrictEqual(have.environment, want.environment);

/** What a unit consists of: its text, its drop-ins, its environment. */
type Own = Pick<Want, "unit" | "dropIns" | "environment">;

/** Pure: what the facts mean, in the shape of the inputs. */
function judge(want: Want, last: Want | undefined, seen: Seen): Observation<Want, UnitStatus> | undefined {
  const { unit, files } = seen;
  const places = placesOf(want.name);
  const { [startedVariable]: stamp, ...environment } = parseEnvironment(
    files.get(places.environment)?.text ?? "",
  );
  const ours = want.unit !== undefined || last?.unit !== undefined;
  const text = ours ? files.get(places.unit)?.text : undefined;
  const own: Own = {
    ...(text === undefined ? {} : { unit: text }),
    dropIns: dropInsIn(want, last, files),
    environment,
  };
  const elsewhere = [...foreignFiles(want, seen.effect).keys()];
  if (unit.load === "not-found" && elsewhere.length === 0 && nothingOf(own, files, places)) return undefined;

  // A reload or a start under way counts as running; whether it gets there is the business of readiness and
  // `verify`.
  const running = ["active", "activating", "reloading"].includes(unit.active);
  const process = running ? processOf(want, own, seen, stamp) : { restartOn: want.restartOn };
  const config: Partial<Want> = {
    name: want.name,
    ...own,
    enabled: unit.file === "enabled" || unit.file === "alias",
    running,
    restartOn: process.restartOn,
    // Not on the host: how to prove. It never differs.
    ...(want.readiness ? { readiness: want.readiness } : {}),
  };
  const findings = [
    ...findingsOf({
      files: wrongHelperFile(want, files),
      ...wrongUnit(unit),
      restart: process.restart ?? outdatedProcess(want, seen),
      readiness: running && files.has(places.owed) ? "not proven since the last start" : undefined,
    }),
    ...effectFindings(want, seen.effect),
  ];
  const original: Original = {
    ...config,
    masked: unit.load === "masked",
    ...(elsewhere.length > 0 ? { elsewhere } : {}),
  };
  // A unit whose files differ is restarted anyway; waiting could not turn that into another answer.
  const settling = isMoving(unit) && sameFiles(want, own) ? movement(seen) : undefined;
  return {
    config,
    findings,
    status: statusOf(unit),
    originals: { [`unit ${want.name}`]: original },
    settling,
  };
}

const nothingOf = (own: Own, files: Seen["files"], places: ReturnType<typeof placesOf>) =>
  own.unit === undefined &&
  Object.keys(own.dropIns).length === 0 &&
  !files.has(places.environment) &&
  !files.has(places.link);

/** What systemd itself still has to do or cannot do. */
function wrongUnit(unit: Unit): Record<string, string | undefined> {
  const known = unit.load === "loaded" || unit.load === "not-found";
  return {
    unit: known ? undefined : `${unit.load} to systemd`,
    loop: looping(unit) ? `${unit.restarts} restarts, the last run ended by ${ended(unit)}` : undefined,
  };
}

function statusOf(unit: Unit): UnitStatus {
  return {
    load: unit.load,
    state: `${unit.active} (${unit.sub})`,
    file: unit.file,
    ...(unit.needsReload ? { reload: true as const } : {}),
    ...(unit.began === undefined || unit.active !== "active"
      ? {}
      : { since: new Date(unit.began * 1000).toISOString() }),
    ...(unit.active === "failed" ? { result: ended(unit) } : {}),
  };
}

const ended = (unit: Unit) => (unit.result === "exit-code" ? `exit code ${unit.exitStatus}` : unit.result);

/** All drop-ins of a unit that is ours; of a package's unit only those that we name or named. */
function dropInsIn(want: Want, last: Want | undefined, files: Seen["files"]): Record<string, string> {
  const { dropIns, link } = placesOf(want.name);
  const found: Record<string, string> = {};
  for (const [path, { text }] of files) {
    if (!path.startsWith(`${dropIns}/`) || path === link) continue;
    const file = path.slice(dropIns.length + 1);
    if (want.unit !== undefined || file in want.dropIns || file in (last?.dropIns ?? {})) found[file] = text;
  }
  return found;
}

/** Our two helper files: there, unchanged and closed to others. */
function wrongHelperFile(want: Want, files: Seen["files"]): string | undefined {
  const link = renderLink(want.name);
  if (link === undefined) return undefined;
  const places = placesOf(want.name);
  if (files.get(places.link)?.text !== link) return `${places.link} is missing or changed`;
  const environment = files.get(places.environment);
  if (environment === undefined) return `${places.environment} is missing`;
  const { mode, owner } = environment;
  return mode === "600" && owner === "root:root"
    ? undefined
    : `${places.environment} is ${mode} ${owner}, should be 600 root:root`;
}

function looping(unit: Unit): boolean {
  if (unit.sub === "auto-restart") return true;
  return (
    unit.active === "active" &&
    unit.restarts >= loopRestarts &&
    unit.began !== undefined &&
    unit.now - unit.began < 60
  );
}

interface Process {
  readonly restartOn: Want["restartOn"];
  readonly restart?: string | undefined;
}

/** Whether the running process was started with what now stands in the files. */
function processOf(want: Want, have: Own, seen: Seen, stamp: string | undefined): Process {
  const { environment, owed, unit, dropIns } = placesOf(want.name);
  const owes = seen.files.get(owed)?.text.trim() === "restart" ? "a run broke off before it" : undefined;
  const { began } = seen.unit;
  if (!want.name.endsWith(".service")) {
    const newer = [...seen.files].some(
      ([path, file]) => (path === unit || path.startsWith(dropIns)) && file.changed > (began ?? 0),
    );
    return {
      restartOn: want.restartOn,
      restart: owes ?? (newer ? "changed after it was started" : undefined),
    };
  }
  const file = seen.files.get(environment);
  // A process that hides its environment: it has what stood in the file if it began after the file was
  // written.
  const raw = seen.unit.started ?? (file && began !== undefined && began >= file.changed ? stamp : undefined);
  const started = parseStarted(raw);
  if (started === undefined)
    return { restartOn: {}, restart: owes ?? "started before gpu-hosts configured it" };
  return { restartOn: { ...started.restartOn }, restart: owes ?? older(want, have, started) };
}

/** What the running process was handed at its start and is no longer what stands there. */
function outdatedProcess(want: Want, { processes, credentials }: Seen): string | undefined {
  const [changed] = credentials;
  return changed === undefined ? staleFile(want, processes) : `started with another ${changed}`;
}

/** Files that are as wanted by now and were not yet when the process started. */
function older(want: Want, have: Own, then: Started): string | undefined {
  const now = startedBy(want);
  const keys = (["unit", "dropIns", "environment"] as const).filter(
    (key) => now[key] !== then[key] && isDeepStrictEqual(want[key], have[key]),
  );
  return keys.length === 0 ? undefined : `started with another ${keys.join(", ")}`;
}
