import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./tests/support/counts-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["node_modules", "lab/**", "tests/lab/**"],
          // Ends only what hangs: how long a test takes is up to what else the machine does.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "lab",
          include: ["lab/**/*.test.ts", "tests/lab/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 400_000,
          // Each file brings up hosts of its own; more than two at once and two cores do not keep their time
          // limits.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
