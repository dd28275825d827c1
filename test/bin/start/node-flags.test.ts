import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  decideRestart,
  firstEnvironment,
  NODE_FLAGS,
  type Restart,
  type Started,
} from "../../../bin/start/node-flags.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

const FROM_A_SHELL: Started = { command: "exec", execArgv: [], env: {}, node: "24.21.0" };

const ALL: Restart = { execArgv: NODE_FLAGS, env: {} };

test.each<[string, Partial<Started>, Restart | undefined]>([
  ["from a shell", {}, ALL],
  ["psql", { command: "psql" }, ALL],
  ["connect", { command: "connect" }, ALL],
  ["agent", { command: "agent" }, ALL],
  ["what asks an agent", { command: "agent", args: ["--ready"] }, undefined],
  ["a command that has such an option", { args: ["--", "app", "--ready"] }, ALL],
  ["a command without a proxy", { command: "leases" }, undefined],
  ["no command", { command: undefined }, undefined],
  ["as an image starts it", { execArgv: NODE_FLAGS }, undefined],
  ["a Node that the command refuses", { node: "22.18.0" }, undefined],
  [
    "with a heap of one's own, and a flag for debugging",
    { execArgv: ["--max_old_space_size=512", "--trace-gc"] },
    {
      execArgv: [
        "--max_old_space_size=512",
        "--trace-gc",
        "--disable-sigusr1",
        "--max-semi-space-size=1",
      ],
      env: {},
    },
  ],
  [
    "with options for every Node",
    { env: { NODE_OPTIONS: "--use-system-ca", HOME: "/h", EMPTY: undefined } },
    { ...ALL, env: { NODE_OPTIONS: "--use-system-ca", HOME: "/h" } },
  ],
  [
    "with a debugger for every Node, although the flags are there",
    { execArgv: NODE_FLAGS, env: { NODE_OPTIONS: "--use-system-ca --inspect=0" } },
    { ...ALL, env: { MAYFLY_NODE_OPTIONS: "--use-system-ca --inspect=0" } },
  ],
])("starts again with what is missing: %s", (_, started, expected) => {
  expect(decideRestart({ ...FROM_A_SHELL, ...started })).toEqual(expected);
});

test("a process that was started again does not start again, and its child gets every option", () => {
  const env = { NODE_OPTIONS: "--inspect", PATH: "/bin" };
  const restart = decideRestart({ ...FROM_A_SHELL, env });
  expect(decideRestart({ ...FROM_A_SHELL, ...restart })).toBeUndefined();
  expect(firstEnvironment(restart?.env ?? {})).toEqual(env);
  expect(firstEnvironment({ PATH: "/bin" })).toEqual({ PATH: "/bin" });
});

const START = join(import.meta.dirname, "../../../bin/start/start-again.ts");
const PROGRAM = `
import { url } from "node:inspector";
import { startAgain } from ${JSON.stringify(START)};
console.log(JSON.stringify({ pid: process.pid }));
startAgain(process.argv[2]);
process.kill(process.pid, "SIGUSR1");
setTimeout(() => {
  console.log(JSON.stringify({ flags: process.execArgv, inspector: url() ?? "none" }));
  process.kill(process.pid, "SIGTERM");
}, 20);
`;

test("the process stays the same one, and neither NODE_OPTIONS nor SIGUSR1 opens a debugger", () => {
  const { path, remove } = tempFolder("start");
  try {
    const program = join(path, "program.mjs");
    writeFileSync(program, PROGRAM);
    const env = { ...process.env, NODE_OPTIONS: "--inspect=127.0.0.1:0" };
    const ran = spawnSync(process.execPath, [program, "exec"], { env, encoding: "utf8" });
    const told = ran.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    const flags = [...NODE_FLAGS];
    expect(told).toEqual([{ pid: ran.pid }, { pid: ran.pid }, { flags, inspector: "none" }]);
    expect(ran.signal).toBe("SIGTERM");
  } finally {
    remove();
  }
});
