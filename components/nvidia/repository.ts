/** A machine, as NVIDIA's repositories tell systems apart. */
export interface System {
  /** As its os-release names it: `Ubuntu 24.04.3 LTS`, `Debian GNU/Linux 13 (trixie)`. */
  readonly release?: string | undefined;
  /** As `uname -m` prints it. @default x86_64 */
  readonly architecture?: string | undefined;
  /** A distribution in WSL, whose repository has toolkits and no driver. @default false */
  readonly wsl?: boolean | undefined;
}

/** Systems that NVIDIA has a repository for (driver installation guide, 2026-05). */
const systems: Readonly<Record<string, readonly string[]>> = {
  ubuntu: ["22.04", "24.04", "26.04"],
  debian: ["12", "13"],
};

/** NVIDIA's names of processors; sbsa are ARM servers. */
const processors: Readonly<Record<string, string>> = { x86_64: "x86_64", aarch64: "sbsa" };

/**
 * Path of a system below NVIDIA's repositories, such as `ubuntu2404/x86_64`; `undefined`: there is none.
 */
export function repositoryPath({
  release = "",
  architecture = "x86_64",
  wsl = false,
}: System): string | undefined {
  const [, id = "", version = ""] = /^(Ubuntu|Debian)\b\D*(\d+(?:\.\d+)?)/.exec(release) ?? [];
  const processor = processors[architecture];
  if (processor === undefined) return undefined;
  if (wsl) return id === "Ubuntu" && processor === "x86_64" ? "wsl-ubuntu/x86_64" : undefined;
  const system = id.toLowerCase();
  const found = systems[system]?.find((each) => each === version);
  return found === undefined ? undefined : `${system}${found.replace(".", "")}/${processor}`;
}

/** Address of a system's repository, with the slash that flat repositories end in. */
export const repositoryUrl = (mirror: string, path: string): string =>
  `${mirror.replace(/\/$/, "")}/${path}/`;

/**
 * Package of a CUDA toolkit, such as of 12.4. It pulls no driver; the one called `cuda` does, and is used
 * nowhere.
 */
export const toolkitPackage = (cuda: string): string => `cuda-toolkit-${cuda.replace(".", "-")}`;
