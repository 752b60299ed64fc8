import { copyFileSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What is changed in the source of SDK 3.68.0, the newest whose module has the Node language host:
 * - It puts a gRPC server of its own between program and engine, which knows the calls of its day only;
 *   resource hooks came
 *   later. The program gets the engine's address instead.
 * - It takes `typescript` from a flag that today's CLI no longer passes, and so always loads ts-node. The
 *   environment decides.
 */
const changes = [
  ['maybeAppendArg("monitor", address)', 'maybeAppendArg("monitor", req.GetMonitorAddress())'],
  ["if host.typescript {", 'if host.typescript && os.Getenv("PULUMI_NODEJS_TYPESCRIPT") == "" {'],
] as const;

/**
 * Copies the host's source out of Go's module cache into a new folder with the given go.mod and go.sum, and
 * brings it up to date.
 */
export function prepareLanguageHost(source: string, moduleFolder: string): string {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-language-nodejs-"));
  for (const name of ["go.mod", "go.sum"]) copyFileSync(join(moduleFolder, name), join(folder, name));
  const files = readdirSync(source).filter((name) => name.endsWith(".go") && !name.endsWith("_test.go"));
  // Files of the module cache are read-only, so they are written anew.
  for (const name of files)
    writeFileSync(join(folder, name), patched(name, readFileSync(join(source, name), "utf8")));
  return folder;
}

function patched(name: string, text: string): string {
  if (name !== "main.go") return text;
  return changes.reduce((now, [from, to]) => {
    if (now.split(from).length !== 2)
      throw new Error(`the language host's ${name} is not the one we know: no ${from}`);
    return now.replace(from, () => to);
  }, text);
}
