import { execFileSync, spawnSync } from "node:child_process";

// Part of `npm run check`: every shell script of the project passes shellcheck, which is a package of the distribution.

const files = execFileSync("git", ["ls-files", "*.sh", ".ci/run"], { encoding: "utf8" }).trim().split("\n");
const { error, status } = spawnSync("shellcheck", ["--severity=warning", ...files], { stdio: "inherit" });
if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") {
  console.error(
    `shellcheck is not installed, so ${files.length} scripts were not checked (Debian, Ubuntu: apt-get install shellcheck)`,
  );
  process.exitCode = process.env.CI ? 1 : 0;
} else process.exitCode = status ?? 1;
