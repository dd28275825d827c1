import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { ValidationSeverity, type ValidatorSettings, validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { NODE_FLAGS, OLDEST_NODE } from "../../bin/start/node-flags.ts";
import { AGENT_IMAGE, READY_COMMAND } from "../../core/agent-image.ts";

const text = readFileSync(
  join(import.meta.dirname, "..", "..", "packaging", "agent", "Dockerfile"),
  "utf8",
);

/** Everything that the linter looks for. */
const ALL: ValidatorSettings = {
  deprecatedMaintainer: ValidationSeverity.ERROR,
  directiveCasing: ValidationSeverity.ERROR,
  emptyContinuationLine: ValidationSeverity.ERROR,
  instructionCasing: ValidationSeverity.ERROR,
  instructionCmdMultiple: ValidationSeverity.ERROR,
  instructionEntrypointMultiple: ValidationSeverity.ERROR,
  instructionHealthcheckMultiple: ValidationSeverity.ERROR,
  instructionJSONInSingleQuotes: ValidationSeverity.ERROR,
  instructionWorkdirRelative: ValidationSeverity.ERROR,
};

/** What stands after each instruction of a name. */
const after = (instruction: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^${instruction} (.*)$`, "gm"))].map(([, rest = ""]) => rest);

test("the linter of Dockerfiles finds nothing, and would find a mistake", () => {
  expect(validate(text, ALL)).toEqual([]);
  expect(validate(text.replace("USER", "user"), ALL)).toHaveLength(1);
  expect(validate(text.replace("VOLUME [", "VOLUMES ["), ALL)).toHaveLength(1);
});

test("the image is where constructs and manifests expect its parts", () => {
  expect(after("FROM")).toEqual([`gcr.io/distroless/nodejs${OLDEST_NODE}-debian13:latest`]);
  expect(after("ENTRYPOINT").map((rest) => JSON.parse(rest))).toEqual([
    [AGENT_IMAGE.node, ...NODE_FLAGS, AGENT_IMAGE.program],
  ]);
  expect(after("COPY")).toEqual([`--chmod=0644 mayfly-agent.mjs ${AGENT_IMAGE.program}`]);
  expect(after("VOLUME").map((rest) => JSON.parse(rest))).toEqual([[AGENT_IMAGE.folder]]);
  expect(READY_COMMAND).toEqual([AGENT_IMAGE.node, AGENT_IMAGE.program, "--ready"]);
});

test("an ordinary user runs it, and everybody may write into its folder alone", () => {
  expect(after("USER")).toEqual([AGENT_IMAGE.user]);
  expect(AGENT_IMAGE.user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
  const [run = "", ...others] = after("RUN");
  expect(others).toEqual([]);
  const [node, , program] = JSON.parse(run) as readonly string[];
  expect(node).toBe(AGENT_IMAGE.node);
  const made: unknown[] = [];
  const fs = {
    mkdirSync: (...args: readonly unknown[]) => made.push(args),
    chmodSync: (...args: readonly unknown[]) => made.push(args),
  };
  runInNewContext(program ?? "", { fs });
  expect(made).toEqual([
    [AGENT_IMAGE.folder, { recursive: true }],
    [AGENT_IMAGE.folder, 0o1777],
  ]);
});
