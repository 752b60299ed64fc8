import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./tests/support/counts-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["node_modules", "tests/lab/**"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "lab",
          include: ["tests/lab/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 400_000,
          // Each file brings up hosts of its own; more than two at once and two cores do not keep their time limits.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
