import { defineConfig } from "vitest/config";

/** `npm run bench`: figures, not checks; kept out of `npm test`. */
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ["test/bench/**/*.bench.ts"],
    globalSetup: ["test/support/postgres-setup.ts"],
    setupFiles: ["test/support/file-cluster-setup.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    disableConsoleIntercept: true,
    fileParallelism: false,
  },
});
