import { expect, test } from "vitest";
import { poolOptions } from "../../../client/pg.ts";
import { type Duration, minutes, seconds } from "../../../core/time.ts";

const keeper = (overlap: Duration | undefined) => ({
  asked: 0,
  overlap: undefined as Duration | undefined,
  current() {
    this.asked += 1;
    // known with the first lease, and not before
    this.overlap = overlap;
    return Promise.resolve({} as never);
  },
});

test.each([
  ["the longest overlap", minutes(35), 1_800],
  ["a maximum of one hour", minutes(30), (30 * 60 * 6) / 7],
  ["a maximum of 20 seconds", seconds(10), (10 * 6) / 7],
  ["a role without a next lease, or a rotated secret", undefined, 1_800],
])("a pool's clients live within %s", async (_, overlap, maxLifetimeSeconds) => {
  const { maxLifetimeSeconds: found } = await poolOptions(keeper(overlap));
  expect(found).toBeCloseTo(maxLifetimeSeconds);
});

test("without a lease nobody knows the role's times", async () => {
  const failing = { overlap: undefined, current: () => Promise.reject(new Error("denied")) };
  await expect(poolOptions(failing)).rejects.toThrow("denied");
});
