import { type LlamacppService, schema } from "./config.ts";

/** A service for tests: two machines, one file. */
export const service = (changes: Partial<LlamacppService> = {}): LlamacppService => ({
  ...schema.parse({
    engine: "llamacpp",
    leader: "rack1",
    workers: ["rack2"],
    model: {
      repo: "tiny/tiny-GGUF",
      revision: "0123456789abcdef0123456789abcdef01234567",
      files: { "tiny.gguf": "a".repeat(64) },
    },
    apiKey: "only-for-tests-0123",
  }),
  ...changes,
});
