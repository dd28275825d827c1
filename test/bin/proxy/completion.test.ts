import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { makeProgram } from "../../../bin/commands/main.ts";
import { bashCompletion } from "../../../bin/completion/bash.ts";
import { commandsIn, commandTree } from "../../../bin/completion/command-tree.ts";
import { fishCompletion } from "../../../bin/completion/fish.ts";
import { zshCompletion } from "../../../bin/completion/zsh.ts";

const io = { in: process.stdin, out: process.stdout, err: process.stderr };
const tree = commandTree(await makeProgram(io));

/** What bash offers for lines, in one process. */
function offered(lines: readonly (readonly string[])[]): readonly string[] {
  const asked = lines.map(
    (words) => `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}; _mayfly; echo "\${COMPREPLY[*]}"`,
  );
  const env = {
    PATH: process.env.PATH,
    MAYFLY_LEASE_ORDERS_DB_READ_ONLY:
      "arn:aws:lambda:eu-west-1:123456789012:function:issuer:user-service--read-only",
  };
  const script = `complete() { :; }\n${bashCompletion(tree)}\n${asked.join("\n")}`;
  return execFileSync("bash", ["--norc", "-c", script], { env, encoding: "utf8" }).split("\n");
}

test("bash completes commands, options, their values, leases, and the command of exec", () => {
  const answers = offered([
    ["mayfly", "ex"],
    ["mayfly", "exec", ""],
    ["mayfly", "exec", "--priv"],
    ["mayfly", "exec", "--ca", "/etc/host"],
    ["mayfly", "config", ""],
    ["mayfly", "config", "check", "--js"],
    ["mayfly", "issue", "--format", ""],
    ["mayfly", "issue", "--consumer", ""],
    ["mayfly", "completion", "z"],
    ["mayfly", "exec", "orders-db/read-only", "--", "basena"],
    ["mayfly", "leases", "--state", "un"],
    ["mayfly", "doctor", "--acc"],
  ]);
  expect(answers[3]?.split(" ")).toContain("/etc/hosts");
  expect(answers[9]).toMatch(/^basename\b/);
  expect(answers.filter((_, at) => at !== 3 && at !== 9)).toEqual([
    "exec",
    "orders-db/read-only",
    "--private-loopback",
    "check",
    "--json",
    "json env",
    "",
    "zsh",
    "unverified",
    "--accept",
    "",
  ]);
});

test.each([
  ["bash", bashCompletion],
  ["zsh", zshCompletion],
  ["fish", fishCompletion],
])("%s has every command and option, and no name twice", (_, make) => {
  const script = make(tree);
  const all = commandsIn(tree);
  expect(all.length).toBeGreaterThan(15);
  for (const { path, options } of all) {
    expect(script).toContain(path.split(" ").at(-1));
    for (const { flag } of options) expect(script).toContain(flag.slice(2));
  }
  const functions = [...script.matchAll(/^(?:function )?(\w+)(?:\(\) \{)?$/gm)].map(
    ([, name]) => name,
  );
  const named = functions.filter((name) => name?.includes("mayfly"));
  expect(new Set(named).size).toBe(named.length);
  expect(named.length).toBeGreaterThan(0);
});
