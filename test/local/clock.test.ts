import { expect, test } from "vitest";
import { MovableClock } from "../../local/clock.ts";
import { eventually } from "../support/eventually.ts";

const HOUR = 3_600_000;

test("what is due runs when the time is moved there, earliest first, and once", () => {
  const clock = new MovableClock();
  const rung: string[] = [];
  const start = clock.now();
  clock.at(start + 2 * HOUR, () => rung.push("second"));
  clock.at(start + HOUR, () => rung.push("first"));
  const callOff = clock.at(start + HOUR, () => rung.push("never"));
  callOff();
  expect(clock.next).toBe(start + HOUR);
  clock.moveTo(start + HOUR - 1_000);
  expect(rung).toEqual([]);
  clock.moveTo(start + 3 * HOUR);
  clock.moveTo(start);
  expect([rung, clock.next]).toEqual([["first", "second"], undefined]);
  expect(clock.now()).toBeGreaterThanOrEqual(start + 3 * HOUR);
});

test("an unmoved clock runs with the machine's time", async () => {
  const clock = new MovableClock();
  let rung = 0;
  clock.at(clock.now() + 5, () => {
    rung = clock.now();
  });
  const far = clock.at(clock.now() + 3 * 365 * 24 * HOUR, () => undefined);
  await eventually(() => rung > 0);
  far();
});
