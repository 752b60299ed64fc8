import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lockProblem } from "#provider/resources/python-venv/lock.ts";
import type { VllmService } from "./schema.ts";
import type { Variant } from "./variant.ts";

/** Folder of the stack files. */
const project = join(import.meta.dirname, "../..");

type Locked = Pick<VllmService, "lock" | "version" | "python">;

/** File of the packages of a service. */
const lockFile = ({ lock, version, python }: Locked, variant: Variant): string =>
  lock === undefined
    ? join(import.meta.dirname, "locks", `vllm-${version}-${variant}-python${python}.txt`)
    : join(lock.startsWith("/") ? "" : project, lock);

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The packages of a service, that were checked with the configuration. */
export function lockOf(service: Locked, variant: Variant): string {
  const text = read(lockFile(service, variant));
  if (text === undefined) throw new Error(`no lock of vLLM ${service.version} for ${variant}`);
  return text;
}

/** What is wrong with the packages of a service, below it; `undefined`: nothing. */
export function lockFault(
  service: Locked,
  variant: Variant,
  architecture = "x86_64",
): { readonly path: readonly string[]; readonly text: string } | undefined {
  const { lock, version, python } = service;
  const text = read(lockFile(service, variant));
  const path = ["lock"];
  if (lock !== undefined) {
    if (text === undefined) return { path, text: `${lock} cannot be read` };
    const wrong = lockProblem(text);
    if (wrong) return { path, text: `${lock} ${wrong}` };
    return new RegExp(`^vllm *(==${version.replaceAll(".", "\\.")}\\b|@)`, "m").test(text)
      ? undefined
      : { path, text: `${lock} holds no vllm in version ${version}` };
  }
  const own = "make one and name it here: components/vllm/locks/README.md";
  if (text === undefined)
    return {
      path,
      text: `is missing: gpu-hosts has no lock of vLLM ${version} for ${variant} and Python ${python}; ${own}`,
    };
  return architecture === "x86_64"
    ? undefined
    : {
        path,
        text: `is missing: the locks of gpu-hosts are for x86_64, and this is ${architecture}; ${own}`,
      };
}
