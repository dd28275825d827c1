import fc from "fast-check";
import { expect, test } from "vitest";
import { cacheAdvice, overlapFor } from "../../../../client/agent/secrets-manager/cache-advice.ts";
import { hours, milliseconds, minutes, seconds } from "../../../../core/time.ts";

test("an overlap that is long enough needs no advice", () => {
  expect(overlapFor(hours(1))).toBe(minutes(95));
  expect(cacheAdvice(hours(1), minutes(65))).toBeUndefined();
});

test("a shorter one is told with both ways out", () => {
  expect(cacheAdvice(hours(1), minutes(35))).toBe(
    "its logins overlap by 2100 s; set clients' caches and clientCache to 1800 s, or the role's maxTtl to 205 minutes",
  );
});

test("who follows either advice reads none again, and it is short", () => {
  const lengths = fc.tuple(
    fc.integer({ min: 1, max: 86_400 }),
    fc.integer({ min: 60, max: 86_400 }),
  );
  fc.assert(
    fc.property(lengths, ([cache, overlap]) => {
      const advice = cacheAdvice(seconds(cache), seconds(overlap));
      if (advice === undefined) return;
      expect(advice.length).toBeLessThanOrEqual(160);
      const [, longest, maximum] = advice.match(/\d+/g)?.map(Number) ?? [];
      const reached = milliseconds(minutes(maximum ?? 0) * 0.465);
      expect(reached).toBeGreaterThanOrEqual(overlapFor(seconds(cache)));
      expect(cacheAdvice(seconds(longest ?? -1), seconds(overlap))).toBeUndefined();
    }),
  );
});
