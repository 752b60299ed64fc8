import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** How the command line of our provider tells it from the provider of another checkout. */
export const provider = join(import.meta.dirname, "../../provider/pulumi-resource-gpuhost");

const everyMs = 50;

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Largest resident memory, in bytes, of any process whose command line holds `word`, while `work` runs. */
export async function peakMemory<T>(
  word: string,
  work: () => Promise<T>,
): Promise<{ result: T; bytes: number }> {
  let bytes = 0;
  const look = () => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      if (!read(`/proc/${pid}/cmdline`).includes(word)) continue;
      const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
      bytes = Math.max(bytes, Number(kilobytes ?? 0) * 1024);
    }
  };
  const timer = setInterval(look, everyMs);
  try {
    const result = await work();
    return { result, bytes };
  } finally {
    clearInterval(timer);
  }
}
