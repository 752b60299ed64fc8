import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";

/** Room of one file system, in bytes. */
export interface FileSystem {
  readonly size: number;
  /** For others than root too. */
  readonly available: number;
}

/** The file system that holds a path. */
export const fileSystemOf = (path: string): Fact<FileSystem> => ({
  name: `df ${path}`,
  command: sh`df -Pk -- ${path}`,
  parse: ({ stdout }) => {
    // The first column may hold blanks, the last one too.
    const numbers = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+\//.exec(stdout.trim().split("\n").at(-1) ?? "");
    if (!numbers) throw new Error("df did not say how large the file system is");
    return { size: Number(numbers[1]) * 1024, available: Number(numbers[3]) * 1024 };
  },
});
