import { z } from "zod";
import { httpAddress } from "#inventory/kinds.ts";

const apiKeyFile = z
  .string()
  .startsWith("/", "must be an absolute path")
  .describe("File on the host whose first line is the API key, sent as bearer token.");

/** A real answer of an OpenAI-compatible server. */
export const completionProbe = z.strictObject({
  kind: z.literal("completion"),
  url: httpAddress.describe("Base address without `/v1`, such as http://127.0.0.1:8080."),
  model: z.string().min(1).describe("Model name as the server lists it."),
  apiKeyFile: apiKeyFile.optional(),
});

/** Any address that answers with a certain status. */
export const httpProbe = z.strictObject({
  kind: z.literal("http"),
  url: httpAddress.describe("Address that is asked with GET, from the host itself."),
  status: z.int().min(100).max(599).default(200).describe("Status that means well."),
  apiKeyFile: apiKeyFile.optional(),
});

/** A unit that runs. */
const unitProbe = z.strictObject({
  kind: z.literal("unit"),
  unit: z.string().min(1).describe("Unit that must be active."),
});

/** GPUs that the driver answers for. */
const gpuProbe = z.strictObject({
  kind: z.literal("gpu"),
  minimum: z.int().min(1).default(1).describe("How many GPUs must answer."),
});

/** One question about health, as data: components make them, the Check resource and `verify` ask them. */
export const probe = z.discriminatedUnion("kind", [completionProbe, httpProbe, unitProbe, gpuProbe]);

export type CompletionProbe = z.output<typeof completionProbe>;
export type HttpProbe = z.output<typeof httpProbe>;
export type GpuProbe = z.output<typeof gpuProbe>;
export type Probe = z.output<typeof probe>;

/** What came of a probe. `not yet` may become `ok` by waiting, `failed` will not. */
export interface Verdict {
  readonly state: "ok" | "not yet" | "failed";
  /** One line for the operator: what was seen. */
  readonly text: string;
}
