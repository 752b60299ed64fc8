import { createHash } from "node:crypto";
import { renderEnvironment } from "./environment-file.ts";
import type { Want } from "./inputs.ts";

/** Variable by which a running process tells what it was started with. */
export const startedVariable = "GPU_HOSTS_STARTED_WITH";

/** Folders that we make for our files; each goes when the last file has gone. */
export const configurationFolder = "/etc/gpu-hosts";
export const environmentFolder = `${configurationFolder}/env`;

/** Where everything of a unit lies. */
export function placesOf(name: string) {
  return {
    unit: `/etc/systemd/system/${name}`,
    dropIns: `/etc/systemd/system/${name}.d`,
    /** Our own drop-in, which names the environment file. */
    link: `/etc/systemd/system/${name}.d/90-gpu-hosts.conf`,
    environment: `${environmentFolder}/${name}.env`,
    /** In /run, so that a boot settles it: what a broken-off run still owed this unit. */
    owed: `/run/gpu-hosts/${name}.owed`,
  };
}

/** What a process was started with: hashes of its files, and the labels of `restartOn` as they stood. */
export interface Started {
  readonly unit: string;
  readonly dropIns: string;
  readonly environment: string;
  readonly restartOn: Readonly<Record<string, string>>;
}

const hash = (value: unknown) =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
const sorted = (record: Readonly<Record<string, string>>) => Object.entries(record).sort();

export function startedBy(want: Want): Started {
  return {
    unit: hash(want.unit ?? null),
    dropIns: hash(sorted(want.dropIns)),
    environment: hash(sorted(want.environment)),
    restartOn: Object.fromEntries(sorted(want.restartOn)),
  };
}

export function parseStarted(text: string | undefined): Started | undefined {
  try {
    const parsed = JSON.parse(text ?? "");
    return typeof parsed?.unit === "string" && typeof parsed.restartOn === "object" ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** The two files by which a service gets its environment. Sockets and timers have none. */
export function renderLink(name: string): string | undefined {
  return name.endsWith(".service") ? `[Service]\nEnvironmentFile=${placesOf(name).environment}\n` : undefined;
}

export const renderEnvironmentFile = (want: Want): string =>
  renderEnvironment({ ...want.environment, [startedVariable]: JSON.stringify(startedBy(want)) });
