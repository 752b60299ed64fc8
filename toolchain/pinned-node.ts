import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** The npm package that holds Node for this system. */
const nodePackage = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

/**
 * What is wrong with the Node that `npm install` brought, compared with package-lock.json by its hash. It is
 * an optional dependency, since each system needs another one, and npm passes over in silence what it could
 * not have or what had another hash. Undefined if it is right, or if the lock file has none for this system:
 * then the machine's own runs.
 */
export function nodeProblem(folder = root, name = nodePackage): string | undefined {
  const wanted = integrityOf(join(folder, "package-lock.json"), name);
  if (wanted === undefined) return undefined;
  const installed = integrityOf(join(folder, "node_modules", ".package-lock.json"), name);
  if (installed === wanted) return undefined;
  return (
    `The Node in node_modules/${name} ${installed === undefined ? "is missing" : "is another than package-lock.json names"}. ` +
    "Run `npm install --no-save`; if it stays so, your npm registry has no such package, or another one under its name: " +
    `npm pack ${name} shows which.`
  );
}

function integrityOf(lockFile: string, name: string): string | undefined {
  if (!existsSync(lockFile)) return undefined;
  const { packages } = JSON.parse(readFileSync(lockFile, "utf8")) as LockFile;
  return packages[`node_modules/${name}`]?.integrity;
}
