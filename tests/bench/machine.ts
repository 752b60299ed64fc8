import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { local } from "#lab/local.ts";
import { pulumiVersion } from "#toolchain/install.ts";

/** What the figures depend on, to be told with them. */
export interface Machine {
  readonly day: string;
  readonly machine: string;
  readonly load: string;
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * This machine and the versions of what takes part. @param versions of what only some parts of the benchmark
 * use
 */
export async function thisMachine(versions: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const [{ model = "unknown processor" } = {}, ...others] = cpus();
  const gigabytes = Math.round(totalmem() / 1024 ** 3);
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  const packages = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const npm = await local("npm", ["--version"]);
  const commit = await local("git", ["rev-parse", "--short", "HEAD"]).catch(() => "");
  const sshd = (await local("sh", ["-c", "ssh -V 2>&1"])).split(",")[0] ?? "";
  return {
    day: new Date().toISOString().slice(0, 10),
    machine: `${others.length + 1} × ${model.trim()}, ${gigabytes} GB, ${system}, kernel ${release()}`,
    load: readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" "),
    versions: {
      "gpu-hosts": [packages.version, commit.trim()].filter(Boolean).join(" at "),
      Node: process.versions.node,
      npm: npm.trim(),
      "Pulumi CLI": pulumiVersion,
      "@pulumi/pulumi": packages.dependencies["@pulumi/pulumi"] ?? "",
      ssh2: packages.dependencies.ssh2 ?? "",
      "ssh client": sshd.trim(),
      ...versions,
    },
  };
}
