import type * as pulumi from "@pulumi/pulumi";
import type { ResourcePlace } from "#components/serving/resource-place.ts";
import { declare } from "#provider/declare.ts";
import { aptPackages } from "#provider/resources/apt-packages/apt-packages.ts";
import { download } from "#provider/resources/download/download.ts";
import { downloadFile } from "#provider/resources/download/places.ts";
import { venvFolder } from "#provider/resources/python-venv/places.ts";
import { pythonVenv } from "#provider/resources/python-venv/python-venv.ts";
import { lockOf } from "./lock.ts";
import type { VllmService } from "./schema.ts";
import { uv } from "./uv.ts";
import type { Variant } from "./variant.ts";

/** What is installed, and from where. */
export interface Wanted {
  /** Name of the service: an environment is one service's own, so that none removes what another runs. */
  readonly name: string;
  readonly service: VllmService;
  readonly variant: Variant;
  /** As `uname -m` prints it. */
  readonly architecture: string | undefined;
  readonly mirrors: Readonly<Record<"pypi" | "pypiFiles" | "pytorch" | "pythonBuilds", string>>;
}

/**
 * What its packages take from the system: a compiler and Python's headers for what is compiled at the first
 * start, and where memory is near which processor.
 */
const systemPackages = (variant: Variant) => ({
  python3: "any",
  "python3-dev": "any",
  libnuma1: "any",
  ...(variant === "cpu" ? { "g++": "any" } : { gcc: "any", "libc6-dev": "any" }),
});

/** Installs vLLM on a machine, beside what runs. */
export function declareInstallation(
  { prefix, at, opts }: ResourcePlace,
  { name, service, variant, architecture, mirrors }: Wanted,
): { readonly venv: string; readonly resources: readonly pulumi.Resource[] } {
  const packages = declare(
    aptPackages,
    `${prefix}-libraries`,
    { ...at, packages: systemPackages(variant) },
    opts,
  );
  const { path, sha256 } = architecture === "aarch64" ? uv.aarch64 : uv.x86_64;
  const wheel = { name: `uv-${name}`, url: `${mirrors.pypiFiles.replace(/\/+$/, "")}${path}`, sha256 };
  const installer = declare(download, `${prefix}-uv`, { ...at, ...wheel }, opts);
  const place = { name: `vllm-${name}`, python: service.python, lock: lockOf(service, variant) };
  const indexes = [mirrors.pypi, ...(variant === "cu130" ? [] : [`${mirrors.pytorch}/${variant}`])];
  const environment = declare(
    pythonVenv,
    `${prefix}-environment`,
    { ...at, ...place, uv: downloadFile(wheel), indexes, builds: mirrors.pythonBuilds },
    { ...opts, dependsOn: [...[opts.dependsOn ?? []].flat(), packages, installer] as pulumi.Resource[] },
  );
  return { venv: venvFolder(place), resources: [packages, environment] };
}
