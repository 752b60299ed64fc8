import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { Project } from "./pulumi.ts";

// Where a `file://` backend keeps what belongs to a stack (pulumi/pkg/backend/diy). Read here, never written.

const lock = z.looseObject({ pid: z.int(), hostname: z.string(), username: z.string() });
/** Who holds a stack, as the CLI notes it. */
export type StateLock = z.output<typeof lock>;

const checkpoint = z.looseObject({
  checkpoint: z.looseObject({
    latest: z.looseObject({ pending_operations: z.array(z.unknown()).nullish() }).nullish(),
  }),
});

const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));
const projectFile = ({ folder }: Pick<Project, "folder">) =>
  parse(readFileSync(join(folder, "Pulumi.yaml"), "utf8")) as { name: string; backend?: { url?: string } };

/**
 * Address of the backend, found as the CLI does (workspace.GetCurrentCloudURL); undefined if nobody has
 * logged in.
 */
export function backendUrl(project: Project, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const all = { ...env, ...project.env };
  const chosen = all.PULUMI_BACKEND_URL || projectFile(project).backend?.url;
  if (chosen) return chosen;
  const folder = all.PULUMI_CREDENTIALS_PATH || all.PULUMI_HOME || join(homedir(), ".pulumi");
  const file = join(folder, "credentials.json");
  return existsSync(file) ? (read(file) as { current?: string }).current : undefined;
}

/** The folder of a file backend; undefined for every other one. */
function stateFolder(url: string, { folder }: Pick<Project, "folder">): string | undefined {
  if (!url.startsWith("file://")) return undefined;
  const path = url.slice("file://".length).replace(/\?.*$/, "");
  return join(path.startsWith("~") ? join(homedir(), path.slice(1)) : resolve(folder, path), ".pulumi");
}

/** Organization, project and stack that a name on the command line means. */
function fullName(project: Pick<Project, "folder">, stack: string): readonly [string, string, string] {
  const [organization = "", name = "", stackName = stack] = stack.includes("/") ? stack.split("/") : [];
  return stack.includes("/")
    ? [organization, name, stackName]
    : ["organization", projectFile(project).name, stack];
}

/** Whether a file backend lies as we know it; one in which nothing was ever written may become anything. */
function isKnownLayout(folder: string): boolean {
  const meta = join(folder, "meta.yaml");
  if (!existsSync(meta)) return !existsSync(folder);
  return (parse(readFileSync(meta, "utf8")) as { version?: unknown } | null)?.version === 1;
}

/**
 * Locks of a stack in a file backend; other backends keep theirs elsewhere and none is found. `undefined`:
 * the backend's folder is laid out as no release of Pulumi known here does it.
 */
export function stateLocks(
  url: string,
  project: Pick<Project, "folder">,
  stack: string,
): readonly StateLock[] | undefined {
  const folder = stateFolder(url, project);
  if (folder === undefined) return [];
  if (!isKnownLayout(folder)) return undefined;
  const locks = join(folder, "locks", ...fullName(project, stack));
  if (!existsSync(locks)) return [];
  return readdirSync(locks)
    .filter((file) => file.endsWith(".json"))
    .map((file) => lock.parse(read(join(locks, file))));
}

/**
 * Whether the stored state has unfinished operations; undefined where that cannot be read from a file (then
 * ask the CLI).
 */
export function hasPending(
  url: string,
  project: Pick<Project, "folder">,
  stack: string,
): boolean | undefined {
  const folder = stateFolder(url, project);
  if (folder === undefined) return undefined;
  const [, name, stackName] = fullName(project, stack);
  const file = join(folder, "stacks", name, `${stackName}.json`);
  // Beside a compressed one it may be the older of the two.
  if (!existsSync(file) || existsSync(`${file}.gz`)) return undefined;
  const stored = checkpoint.safeParse(read(file));
  if (!stored.success) return undefined;
  return (stored.data.checkpoint.latest?.pending_operations ?? []).length > 0;
}
