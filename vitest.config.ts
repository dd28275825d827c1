import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { memoryFolder } from "./test/support/memory-folder.ts";
import { TimedFirst } from "./test/support/sequencer.ts";

const cdkIsSlowWhenCold = 240_000;

/** Seconds are promised there. They wait for most of the time, while all other tests have what is left. */
const TIMED = ["test/stack/promised.test.ts"];
const BEHIND_TIMED = "test/support/behind-timed.ts";
/** What waits for servers that never answer, as long as functions do. */
const WAITING = ["test/lambda/compose.test.ts"];
/** Longer than a slow machine takes for the slowest: a time-out says that something hangs. */
const stack = {
  isolate: false,
  globalSetup: ["test/support/stack-setup.ts"],
  testTimeout: 240_000,
  hookTimeout: 240_000,
};

// whoever runs the tests may trust authorities that the functions do not have
delete process.env.NODE_EXTRA_CA_CERTS;
// for the workers, and the hundred processes that tests start
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/node");

const inMemory = memoryFolder();
if (inMemory !== undefined) process.env.TMPDIR ??= inMemory;

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closing-line.ts"],
    env: { CDK_VALIDATION: "false", AWS_EC2_METADATA_DISABLED: "true" },
    maxWorkers: 4, // on two cores: the others work while some wait
    sequence: { sequencer: TimedFirst },
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          setupFiles: [BEHIND_TIMED],
          isolate: false, // loading modules would take longer than the tests
          include: [
            "test/*.test.ts",
            "test/{core,config,lambda,client,bin/verify,bin/start,bin/proxy}/**/*.test.ts",
          ],
          exclude: [...WAITING, "test/client/postgres/**"],
          env: { POWERTOOLS_LOG_LEVEL: "SILENT" },
          testTimeout: 120_000, // properties take their time on a busy machine
        },
      },
      {
        extends: true,
        test: {
          name: "postgres",
          isolate: false,
          include: ["test/postgres/**/*.test.ts", "test/client/postgres/**/*.test.ts"],
          globalSetup: ["test/support/postgres-setup.ts"],
          setupFiles: [BEHIND_TIMED, "test/support/file-cluster-setup.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cdk",
          setupFiles: [BEHIND_TIMED],
          isolate: false,
          include: ["test/{lib,packaging}/**/*.test.ts"],
          globalSetup: ["test/support/build-setup.ts"],
          testTimeout: cdkIsSlowWhenCold,
          hookTimeout: cdkIsSlowWhenCold,
        },
      },
      {
        extends: true,
        test: {
          ...stack,
          name: "stack",
          setupFiles: [BEHIND_TIMED],
          include: ["test/{bin,local,stack}/**/*.test.ts", ...WAITING],
          exclude: [...TIMED, "test/bin/{verify,start,proxy}/**"],
        },
      },
      {
        extends: true,
        test: {
          ...stack,
          name: "timed",
          include: TIMED,
        },
      },
    ],
  },
});
