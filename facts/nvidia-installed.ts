import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** What of NVIDIA's driver lies on a machine, whoever put it there. */
export interface NvidiaInstalled {
  /** Version of the library through which programs ask the driver (NVML); `undefined`: there is none. */
  readonly library: string | undefined;
  /** NVIDIA's own installer (`.run`) was used: its uninstaller is there and of no package. */
  readonly runfile: boolean;
  /** It is a distribution in WSL, whose driver is the one of Windows. */
  readonly wsl: boolean;
  /** Release of the running kernel, as `uname -r` prints it. */
  readonly kernel: string;
}

export const nvidiaInstalled: Fact<NvidiaInstalled> = {
  name: "NVIDIA's files",
  command: sh`echo "kernel=$(uname -r)"
for link in /usr/lib/*-linux-gnu/libnvidia-ml.so.1 /usr/lib64/libnvidia-ml.so.1 /usr/lib/libnvidia-ml.so.1; do
[ ! -e "$link" ] || { file=$(readlink -f "$link"); echo "library=\${file##*libnvidia-ml.so.}"; break; }
done
for file in /usr/bin/nvidia-uninstall /usr/bin/nvidia-installer; do
[ ! -x $file ] || dpkg -S $file >/dev/null 2>&1 || { echo runfile=yes; break; }
done
if [ -e /dev/dxg ] || grep -qi microsoft /proc/version; then echo wsl=yes; fi
echo end`,
  parse: (finished) => {
    const lines = linesOf(finished);
    if (lines.at(-1) !== "end") throw new Error("the list of NVIDIA's files has no end");
    const found = new Map(
      lines.slice(0, -1).map((line) => {
        const [key = "", value = ""] = partsOf(line, /^(kernel|library|runfile|wsl)=(.*)$/, "what was found");
        return [key, value];
      }),
    );
    const kernel = found.get("kernel");
    if (!kernel) throw new Error("uname did not say which kernel runs");
    const library = found.get("library");
    return {
      // In WSL the file that the link leads to has no version in its name.
      library: library !== undefined && /^\d+(\.\d+)+$/.test(library) ? library : undefined,
      runfile: found.has("runfile"),
      wsl: found.has("wsl"),
      kernel,
    };
  },
};
