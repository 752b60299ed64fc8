import { defineConfig } from "vitest/config";

/** What takes too long for `npm test`: builds from source. */
export default defineConfig({
  test: {
    reporters: ["default", "./tests/support/counts-reporter.ts"],
    include: ["tests/lab/*.build.ts"],
    testTimeout: 3 * 3600_000,
    hookTimeout: 1800_000,
  },
});
