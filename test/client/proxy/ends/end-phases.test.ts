import { expect, test } from "vitest";
import { endAdvice } from "../../../../client/proxy/ends/end-advice.ts";
import {
  decideEnd,
  endPhases,
  safePoolLifetime,
} from "../../../../client/proxy/ends/end-phases.ts";
import { milliseconds, minutes, seconds } from "../../../../core/time.ts";

test("the usual overlap leaves pools half an hour, and half a minute for the rest", () => {
  const overlap = minutes(35);
  expect(endPhases(overlap)).toEqual({
    quiet: minutes(5),
    quietFor: seconds(2),
    last: seconds(30),
    forced: seconds(2),
  });
  expect(safePoolLifetime(overlap)).toBe(minutes(30));
  expect(endAdvice(overlap)).toBe("set the pool's maximum lifetime below 30 minutes");
});

test.each([100, 1_000, 5_000, 60_000, 600_000, 2_100_000, 86_400_000])(
  "an overlap of %i ms has all phases, in their order, and a quiet session is found in them",
  (overlap) => {
    const { quiet, quietFor, last, forced } = endPhases(milliseconds(overlap));
    expect(overlap).toBeGreaterThan(quiet);
    expect(quiet).toBeGreaterThan(last + quietFor);
    expect(last).toBeGreaterThan(forced);
    expect(forced).toBeGreaterThan(0);
  },
);

const phases = endPhases(minutes(35));
const idle = { isIdle: true, quietFor: seconds(3) };
test.each([
  ["in the overlap nobody is ended", minutes(6), idle, "keep"],
  ["then who is quiet", minutes(4), idle, "end"],
  ["and not who was busy a second ago", minutes(4), { ...idle, quietFor: seconds(1) }, "keep"],
  ["and not who is in a transaction", minutes(4), { ...idle, isIdle: false }, "keep"],
  ["at last everybody, between transactions", seconds(29), idle, "end-between-transactions"],
  ["at the very end wherever they are", seconds(1), { ...idle, isIdle: false }, "force"],
] as const)("%s", (_, left, session, decision) => {
  expect(decideEnd(phases, left, session)).toBe(decision);
});
