import { script, shellScript } from "#transport/command.ts";
import type { Fact, Finished } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** A file that a process runs, has mapped or has open. */
interface OpenFile {
  /** It is the program that runs. */
  readonly program: boolean;
  /** Path under which it was opened. */
  readonly path: string;
  /** Not what stands at the path now: it was deleted, or another file was put in its place. */
  readonly stale: boolean;
}

/** A process of a unit. */
export interface UnitProcess {
  readonly pid: number;
  /** When it began, seconds since 1970 by the host's clock. */
  readonly began: number;
  /**
   * SHA-256 over its environment, without what systemd sets anew at each start; tells whether it is still
   * that of another look. Made on the host: the environment itself holds secrets and never leaves it.
   */
  readonly environment: string;
  /** Its program, libraries and data. Sockets, devices and memory are none. */
  readonly files: readonly OpenFile[];
}

const source = script(import.meta.url, "./running-files.sh");

/**
 * Which files the processes of a unit really use: after a repair a server may go on with a model, a program
 * or a library that is no longer there. Empty if nothing runs.
 */
export const runningFiles = (unit: string): Fact<readonly UnitProcess[]> => ({
  name: `files that ${unit} uses`,
  command: shellScript(source, [unit]),
  parse: parseProcesses,
});

const form =
  /^(?:(process)\t(\d+)\t(\d+)\t([0-9a-f]{64})|(link)\t(\/proc\/(\d+)\/\S+)\t(\/.*)|(uses|now)\t(\d+:\d+)\t(\/.*))$/;

function parseProcesses(finished: Finished): readonly UnitProcess[] {
  const lines = linesOf(finished).map((line) => partsOf(line, form, "a process or its files"));
  const identities = (wanted: string) =>
    new Map(
      lines.flatMap(([, , , , , , , , kind, id = "", path = ""]) =>
        kind === wanted ? [[path, id] as const] : [],
      ),
    );
  const [uses, now] = [identities("uses"), identities("now")];
  const open = lines.flatMap(([, , , , kind, place = "", pid, named = ""]) => {
    if (kind !== "link") return [];
    const path = named.replace(/ \(deleted\)$/, "");
    const used = uses.get(place);
    // A process may close a file while it is looked at.
    const stale = path !== named || (used !== undefined && used !== now.get(path));
    return [{ pid: Number(pid), file: { program: place.endsWith("/exe"), path, stale } }];
  });
  return lines.flatMap(([kind, pid, began, environment = ""]) =>
    kind === "process"
      ? [
          {
            pid: Number(pid),
            began: Number(began),
            environment,
            files: open.filter((one) => one.pid === Number(pid)).map(({ file }) => file),
          },
        ]
      : [],
  );
}
