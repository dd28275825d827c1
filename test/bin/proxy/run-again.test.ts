import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RepeatedCommand } from "../../../bin/proxy/run-again.ts";
import type { Signals } from "../../../bin/proxy/signals.ts";
import { type ClientTime, systemTime } from "../../../client/time.ts";
import { milliseconds, seconds } from "../../../core/time.ts";
import { eventually } from "../../support/eventually.ts";

/** Between SIGTERM and SIGKILL. */
const GRACE = seconds(30);

let folder: string;
let log: string;
let signals: Signals;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "again-"));
  log = join(folder, "log");
  signals = { handle: () => {}, [Symbol.dispose]: () => {} };
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Changes are gathered at once; what a command is given to end by itself is as long as ever. */
const quickTime: ClientTime = {
  ...systemTime,
  wait: (length, signal) =>
    systemTime.wait(length < GRACE ? milliseconds(length / 150) : length, signal),
};

/** A command's time is up as soon as it has read SIGTERM, however long that takes. */
const hastyTime: ClientTime = {
  ...quickTime,
  wait: async (length, signal) => {
    if (length < GRACE) return quickTime.wait(length, signal);
    const before = said("term");
    await eventually(() => signal?.aborted || said("term") > before, { every: 5 });
  },
};

const said = (word: string): number =>
  existsSync(log) ? readFileSync(log, "utf8").split(word).length - 1 : 0;

function start(
  script: string,
  time = quickTime,
): { readonly repeated: RepeatedCommand; ended: Promise<number> } {
  const repeated = new RepeatedCommand(time);
  const command = {
    file: "/bin/sh",
    args: ["-c", `say() { echo "$1" >> ${log}; }; ${script}`],
    env: { PATH: process.env.PATH },
    onTerminal: false,
  };
  return { repeated, ended: repeated.run(command, signals) };
}

const UNTIL_TERM =
  "trap 'say term; exit 3' TERM; trap 'say usr1' USR1; say up; while :; do sleep 0.02; done";

test("a command is ended and started again as often as it is asked for, and its own end is the end", async () => {
  const { repeated, ended } = start(
    `${UNTIL_TERM.replace("sleep 0.02", `if [ -e ${folder}/stop ]; then exit 7; fi; sleep 0.02`)}`,
  );
  for (const run of [1, 2, 3]) {
    await eventually(() => said("up") === run, { every: 5 });
    expect(said("term")).toBe(run - 1);
    if (run === 3) break;
    repeated.askAgain();
    repeated.askAgain(); // two files of one lease
  }
  appendFileSync(join(folder, "stop"), "");
  expect(await ended).toBe(7);
  expect([said("up"), said("term")]).toEqual([3, 2]);
});

test("a command that ignores SIGTERM is ended by SIGKILL when its time is up", async () => {
  const { repeated, ended } = start(
    "trap 'say term' TERM; say up; while :; do sleep 0.02; done",
    hastyTime,
  );
  await eventually(() => said("up") === 1, { every: 5 });
  repeated.askAgain();
  await eventually(() => said("up") === 2, { every: 5 });
  expect(said("term")).toBeGreaterThan(0);
  repeated.askAgain(); // and then it is to end for good
  await eventually(() => said("term") >= 2, { every: 5 });
  signals.handle("SIGINT");
  expect(await ended).toBeGreaterThan(128);
  expect(said("up")).toBeLessThanOrEqual(3);
});

test("signals reach the run that there is, and after one that ends it there is no other", async () => {
  const { repeated, ended } = start(UNTIL_TERM);
  await eventually(() => said("up") === 1, { every: 5 });
  repeated.askAgain();
  await eventually(() => said("up") === 2, { every: 5 });
  signals.handle("SIGUSR1");
  await eventually(() => said("usr1") === 1, { every: 5 });
  signals.handle("SIGTERM");
  repeated.askAgain();
  expect(await ended).toBe(3);
  expect([said("up"), said("term")]).toEqual([2, 2]);
});

test("a command that cannot be run is told at once", async () => {
  const repeated = new RepeatedCommand(quickTime);
  const command = { file: join(folder, "none"), args: [], env: {}, onTerminal: false };
  await expect(repeated.run(command, signals)).rejects.toMatchObject({ code: "ENOENT" });
});
