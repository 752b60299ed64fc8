import { loadSdk } from "#provider/sdk.ts";

// The first import of the program: what comes after it finds the SDK loaded.
loadSdk();
