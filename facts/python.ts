import { sh } from "#transport/command.ts";
import type { Fact } from "#transport/host.ts";
import { linesOf, partsOf } from "./lines.ts";

/** Version of the Python at a path, such as `3.11.2`; `undefined`: none runs there. */
export const pythonVersion = (path: string): Fact<string | undefined> => ({
  name: `version of ${path}`,
  // -I: nothing of the working directory or of the environment is loaded.
  command: sh`${path} -I -c ${'import platform; print("python", platform.python_version())'} 2>/dev/null || echo none`,
  parse: (finished) => {
    const text = linesOf(finished).join("\n");
    return text === "none" ? undefined : partsOf(text, /^python (\d+\.\d+\.\S+)$/, "a Python's version")[0];
  },
});
