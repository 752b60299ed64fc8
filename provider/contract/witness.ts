import { z } from "zod";

/**
 * `witness` of any resource, beside its `host`: asked when it fails, never compared, since nothing on a host
 * depends on it.
 */
export const witness = z.strictObject({
  host: z.string().describe("Name in `gpuhost:hosts` of the machine that is asked."),
  argv: z
    .tuple([z.string().startsWith("/", "must be an absolute path")], z.string())
    .describe("Program and arguments, run there as root; it must only read."),
});

/**
 * A machine that sees more than the one at work, such as the leader of a group: what it says is added to an
 * error.
 */
export type Witness = z.output<typeof witness>;
