import { listing } from "#facts/downloads.ts";
import { type ShellCommand, script, sh, shellScript } from "#transport/command.ts";
import { type BuildPlace, buildFolder, recordFile, treeFolder } from "./places.ts";

const buildSteps = script(import.meta.url, "./build.sh");

/**
 * A script that compiles the targets of a CMake project and puts their programs in place, to be run as a long
 * step.
 */
export function buildScript(build: BuildPlace): ShellCommand {
  const { source, cmake = [], targets, path = [] } = build;
  const places = [source, buildFolder(build), recordFile(build), treeFolder(build)];
  const folders = path.map((folder) => `${folder}:`).join("");
  return sh`listing() { ${listing}; }
${shellScript(buildSteps, [...places, folders, targets.join(" "), ...cmake])}`;
}
