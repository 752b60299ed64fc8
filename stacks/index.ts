import "./load-sdk.ts";
import * as pulumi from "@pulumi/pulumi";
import { announceOutages } from "./announce.ts";
import { ConfigurationError, parseConfiguration } from "./config.ts";
import { declareStack } from "./program.ts";
import { type Configuration, namespaces, type RawConfiguration } from "./schema.ts";

/** Refuses a wrong configuration before anything is declared, so that no host is touched. */
function readConfiguration(): Configuration {
  const read = ([key, namespace]: [string, string]) => {
    const config = new pulumi.Config(namespace);
    // Pulumi has nothing behind a key as the empty text.
    return [key, config.get(key) ? config.getObject(key) : undefined];
  };
  const raw = Object.fromEntries(Object.entries(namespaces).map(read)) as RawConfiguration;
  try {
    return parseConfiguration(raw, {
      keys: Object.keys(pulumi.runtime.allConfig()),
      stack: pulumi.getStack(),
      warn: (line) => void pulumi.log.warn(line),
    });
  } catch (error) {
    // A stack trace tells an operator nothing.
    throw error instanceof ConfigurationError ? new pulumi.RunError(error.message) : error;
  }
}

const outputs = declareStack(readConfiguration());
// Awaited, or the program might end before the engine has the line.
await announceOutages(outputs.services);

// biome-ignore lint/style/noDefaultExport: Pulumi takes outputs whose names are computed from a default export only
export default outputs;
