import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";
import { backendUrl, hasPending, type StateLock, stateLocks } from "./file-backend.ts";
import { type Project, pulumi } from "./pulumi.ts";

const exportedState = z.looseObject({
  deployment: z.looseObject({
    pending_operations: z
      .array(
        z.looseObject({ type: z.string(), resource: z.looseObject({ urn: z.string(), type: z.string() }) }),
      )
      .nullish(),
  }),
});

/**
 * Makes a stack ready for `up` after a run that was killed: takes away the lock of a dead process and forgets
 * operations of our resources that were never finished. Each `up` observes the hosts and finishes the work,
 * so nothing is lost by it.
 * @param say told of what was done
 */
export async function recover(project: Project, stack: string, say: (line: string) => void): Promise<void> {
  if (nothingLeft(project, stack)) return;
  const [backend, exported] = await Promise.all([
    pulumi(project, ["whoami", "--json", "--verbose"]),
    pulumi(project, ["stack", "export", "--stack", stack]),
  ]);
  const { url } = z.looseObject({ url: z.string() }).parse(JSON.parse(backend));
  const locks = stateLocks(url, project, stack);
  if (locks === undefined)
    say(
      `${url} is laid out in a way not known here: should a killed run have left ${stack} locked, pulumi cancel unlocks it`,
    );
  // Another run is at work, and what is pending is its own; Pulumi itself says who holds the stack.
  if (!locks?.every(isDead)) return;
  if (locks.length > 0) {
    const pids = locks.map(({ pid }) => pid).join(", ");
    say(`an earlier run (pid ${pids}) was killed and left the stack locked: unlocking it`);
    await pulumi(project, ["cancel", "--yes", "--stack", stack]);
  }
  const { pending, cleared } = withoutPending(JSON.parse(exported));
  if (cleared !== undefined) {
    say(`an earlier run was killed at: ${pending.join(", ")}; this run finishes it`);
    // Not `refresh --clear-pending-creates`: that asks every host. The state was exported without
    // --show-secrets, so its secrets go back as they came, encrypted.
    await pulumi(project, ["stack", "import", "--stack", stack], JSON.stringify(cleared));
  }
}

/** Seen without the CLI, whose two starts are 0.4 s of each `up`; only a file backend shows it. */
function nothingLeft(project: Project, stack: string): boolean {
  const url = backendUrl(project);
  if (url === undefined) return false;
  return stateLocks(url, project, stack)?.length === 0 && hasPending(url, project, stack) === false;
}

/** Whether the process that took a lock has ended. One on another machine cannot be judged from here. */
export function isDead({ pid, hostname: where }: Pick<StateLock, "pid" | "hostname">): boolean {
  if (where !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return false;
  const [, comm = "", state] = /^\d+ \((.*)\) (.)/s.exec(readFileSync(stat, "utf8")) ?? [];
  // After a reboot another program may have the number. One that was killed stays as a zombie (Z) until its
  // parent has taken note, which the first process of many a container never does.
  return state === "Z" || !comm.startsWith("pulumi");
}

/**
 * Unfinished operations, and the state without them. Not cleared where one is of another provider: its create
 * may have made something that nobody would know of, and an import forgets all of them at once. Pulumi itself
 * says what to do then.
 */
export function withoutPending(exported: unknown): {
  readonly pending: readonly string[];
  readonly cleared?: unknown;
} {
  const state = exportedState.parse(exported);
  const operations = state.deployment.pending_operations ?? [];
  const pending = operations.map(
    ({ type, resource }) => `${type} ${resource.urn.slice(resource.urn.lastIndexOf("::") + 2)}`,
  );
  const ours = operations.every(({ resource }) => resource.type.startsWith("gpuhost:"));
  if (operations.length === 0 || !ours) return { pending };
  return { pending, cleared: { ...state, deployment: { ...state.deployment, pending_operations: [] } } };
}
