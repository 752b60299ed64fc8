import { loadSdk } from "#provider/sdk.ts";

// The first import of a program: what comes after it finds the SDK loaded.
const pulumi = loadSdk();

// To each resource that failed the SDK adds an error with a stack trace of its own, which hides what the provider said. It
// also takes one for every promise that it makes.
if (pulumi.runtime.hasEngine() && !process.env.DEBUG) Error.stackTraceLimit = 0;
