import { describe } from "vitest";
import { missingForSshd } from "./sshd.ts";

const missing = missingForSshd();
if (missing !== undefined) process.stderr.write(`tests over SSH are skipped: ${missing}\n`);

/** Tests on a real sshd. Under CI nothing is skipped: there the missing part is the failure. */
export const describeOnSshd = describe.skipIf(missing !== undefined && process.env.CI === undefined);
