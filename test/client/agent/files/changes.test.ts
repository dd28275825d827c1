import { beforeEach, expect, test } from "vitest";
import type { AgentEvent } from "../../../../client/agent/agent-events.ts";
import type { OnChange } from "../../../../client/agent/configuration.ts";
import {
  type Changes,
  type ChangesOptions,
  makeChanges,
} from "../../../../client/agent/files/changes/changes.ts";
import type { Outcome } from "../../../../client/agent/files/changes/outcome.ts";
import { type Instant, milliseconds, minutes, seconds } from "../../../../core/time.ts";
import { VirtualWorld } from "../../../support/virtual-time.ts";

const RELOAD: OnChange = { kind: "command", command: ["reload"], timeout: seconds(30) };
const DONE: Outcome = { kind: "done" };
const failed = (message: string, isFinal = false): Outcome => ({
  kind: "failed",
  message,
  isFinal,
});

let world: VirtualWorld;
let events: AgentEvent[];
/** When each run began, and of what. Milliseconds since the start. */
let runs: { readonly at: number; readonly what: string }[];
let done: string[];
/** What comes of each run; the rest succeed. */
let outcomes: (Outcome | Promise<Outcome>)[];
let changes: Changes;

const START = Date.UTC(2027, 0, 11) as Instant;

beforeEach(() => {
  world = new VirtualWorld(START);
  [events, runs, done, outcomes] = [[], [], [], []];
  const run: NonNullable<ChangesOptions["run"]> = async (onChange) => {
    const what = onChange.kind === "command" ? onChange.command.join(" ") : onChange.signal;
    runs.push({ at: world.now() - START, what });
    return (await outcomes.shift()) ?? DONE;
  };
  changes = makeChanges({
    environment: {},
    onEvent: (event) => events.push(event),
    time: world.machine(),
    run,
  });
});

const change = (path: string, onChange: OnChange = RELOAD): Promise<void> =>
  changes.follow({
    path,
    onChange,
    secrets: [],
    onDone: () => {
      done.push(path);
      return Promise.resolve();
    },
  });

const times = (): number[] => runs.map(({ at }) => at);

test("files that change within half a second share a run, and each command has its own", async () => {
  const all = [change("a"), change("c", { kind: "signal", signal: "SIGHUP", pidFile: "p" })];
  await world.run(milliseconds(400));
  all.push(change("b"));
  await world.run(milliseconds(100));
  expect(runs).toEqual([
    { at: 500, what: "reload" },
    { at: 500, what: "SIGHUP" },
  ]);
  await Promise.all(all);
  expect(done.toSorted()).toEqual(["a", "b", "c"]);
  await world.run(minutes(10));
  expect(runs).toHaveLength(2);
});

test("there are never two runs at once, and changes during one make one more", async () => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  outcomes = [promise];
  const first = change("a");
  await world.run(seconds(1));
  const later = [change("a"), change("b")];
  await world.run(seconds(20));
  expect(times()).toEqual([500]);
  resolve(DONE);
  await world.run(seconds(1));
  await Promise.all([first, ...later]);
  expect(times()).toEqual([500, 21_500]);
  expect(done).toEqual(["a", "a", "b"]);
});

test("a failed run is told and tried again, ever more slowly, until it succeeds", async () => {
  outcomes = Array.from({ length: 8 }, () => failed("no such unit"));
  const first = change("a");
  await world.run(seconds(1));
  await first;
  expect(events).toEqual([{ kind: "on-change-failed", path: "a", message: "no such unit" }]);
  await world.run(minutes(60));
  const gaps = times().map((at, run) => Math.round((at - (times()[run - 1] ?? 0)) / 1_000));
  expect(gaps).toEqual([1, 8, 13, 23, 43, 83, 163, 303, 303]);
  expect(events).toHaveLength(8);
  expect(done).toEqual(["a"]);
  await world.run(minutes(60));
  expect(runs).toHaveLength(9);
});

test("a new change does not wait for the next try of a failed run", async () => {
  outcomes = [failed("x"), failed("x"), failed("x"), failed("x"), failed("x")];
  void change("a");
  await world.run(minutes(2));
  const before = runs.length;
  void change("b");
  await world.run(seconds(1));
  expect(runs).toHaveLength(before + 1);
  expect(done).toEqual(["a", "b"]);
});

test("what can never succeed is told once", async () => {
  outcomes = [failed("there is no such process", true)];
  await Promise.all([change("a"), world.run(minutes(60))]);
  expect(times()).toEqual([500]);
  expect(events).toHaveLength(1);
  expect(done).toEqual(["a"]);
});

test("at the end nothing more begins, and who waits is let go", async () => {
  outcomes = [failed("x")];
  const failing = change("a");
  await world.run(seconds(1));
  const waiting = change("b");
  await changes[Symbol.asyncDispose]();
  await Promise.all([failing, waiting, change("c")]);
  await world.run(minutes(60));
  expect(times()).toEqual([500]);
  expect(done).toEqual([]);
});
