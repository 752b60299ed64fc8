import { posix } from "node:path";
import type { FileQuestion } from "../basics.ts";
import { type Command, script, sh, shellScript } from "../command.ts";
import type { FileAttributes } from "../host.ts";

/** Exit code of {@link readFile} when there is no such file. */
const absentCode = 100;

/**
 * Prints a regular file; exits {@link absentCode} if there is nothing, with a word on stderr if it is
 * something else.
 */
export function readFile(path: string): FileQuestion {
  absolute(path);
  return {
    command: sh`if [ -f ${path} ]; then exec cat ${path}; fi
if [ -e ${path} ]; then echo 'it is there and is not a regular file' >&2; exit 1; fi
exit ${absentCode}`,
    contentOf({ exitCode, stdout }) {
      if (exitCode === 0) return stdout;
      return exitCode === absentCode ? undefined : "refused";
    },
  };
}

const placing = script(import.meta.url, "./write-file.sh");

/**
 * Puts stdin in place as a whole or not at all: the new file gets its owner and mode while it is still called
 * something else, in the same folder, so that the last step is a rename. All goes through the one file that
 * was opened: the owner of the folder may put something else under its name meanwhile.
 */
export function writeFile(path: string, attributes: FileAttributes): Command {
  absolute(path);
  if (!("mode" in attributes)) throw new Error(`${path} is on a POSIX host: it needs a mode and an owner`);
  const { mode, owner } = attributes;
  const temporary = posix.join(posix.dirname(path), ".gpu-hosts-XXXXXXXX");
  return shellScript(placing, [temporary, owner, mode, path]);
}

function absolute(path: string): void {
  if (!path.startsWith("/")) throw new Error(`a path on a host must be absolute: ${path}`);
}
