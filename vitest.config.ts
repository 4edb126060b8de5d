import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      // A busy machine needs seconds for what takes milliseconds.
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"], testTimeout: 30_000 } },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
