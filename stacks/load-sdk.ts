import { createRequire } from "node:module";
import type * as pulumi from "@pulumi/pulumi";

const require = createRequire(import.meta.url);

/**
 * What Pulumi's SDK loads at once and uses only to turn functions into text for the cloud, which no program
 * of ours asks for: 200 ms of the 700 ms that a program needs.
 */
const rarelyUsed = ["@npmcli/arborist", "typescript"];

/** Has a CommonJS module loaded when something of it is asked for, and not when it is required. */
function defer(name: string, from: NodeJS.Require): void {
  let path: string;
  try {
    path = from.resolve(name);
  } catch {
    return;
  }
  if (from.cache[path] !== undefined) return;
  let loaded: Record<PropertyKey, unknown> | undefined;
  const get = (_: object, key: PropertyKey): unknown => {
    // What a compiled `import * as` asks first; it would copy every property of a module that says no.
    if (key === "__esModule") return true;
    if (loaded === undefined) {
      delete from.cache[path];
      loaded = from(name) as Record<PropertyKey, unknown>;
    }
    return loaded[key];
  };
  const exports = new Proxy({}, { get });
  from.cache[path] = { id: path, filename: path, loaded: true, exports, children: [], paths: [] } as never;
}

/** Pulumi's SDK without what our programs never use. */
function loadSdk(): typeof pulumi {
  const sdk = createRequire(require.resolve("@pulumi/pulumi"));
  for (const name of rarelyUsed) defer(name, sdk);
  return require("@pulumi/pulumi");
}

/** Two global effects on how errors look, both for the operator's sake. */
function quietErrors({ runtime }: typeof pulumi): void {
  // The engine is told where each resource is declared, for which the stack's frames would be looked up in
  // the SDK's source maps. Ours need none: Node leaves every line where it was.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  // To each resource that failed the SDK adds an error with a stack trace of its own, which hides what the
  // provider said. It also takes one for every promise that it makes.
  if (runtime.hasEngine() && !process.env.DEBUG) Error.stackTraceLimit = 0;
}

// The first import of a program: what comes after it finds the SDK loaded.
quietErrors(loadSdk());
