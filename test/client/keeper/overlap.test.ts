import fc from "fast-check";
import { expect, test } from "vitest";
import { publish } from "../../../client/agent/publication.ts";
import { type Duration, hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { keptLease } from "../../support/kept-lease.ts";

/** What an issuer accepts at most, less the spread of replicas. */
const MOST = 0.465;
/** Clocks show whole seconds, at both ends. */
const INEXACT = seconds(2);

/** A role of any maximum, with a TTL that is renewed up to ten times within it. */
const role = fc
  .tuple(fc.integer({ min: 120, max: 48 * 3_600 }), fc.double({ min: 0.15, max: 1, noNaN: true }))
  .map(([max, part]) => ({
    maxTtl: seconds(max),
    ttl: seconds(Math.max(60, Math.round(max * part))),
  }));
const wish = fc.integer({ min: 0, max: 8 * 3_600 });

const overlapFor = (maxTtl: Duration, wished: number): number =>
  Math.min(Math.max(minutes(35), seconds(wished)), maxTtl * MOST);

test("leases overlap by what is wished, at least 35 minutes, and never by more than half", async () => {
  await fc.assert(
    fc.asyncProperty(role, wish, async ({ ttl, maxTtl }, overlapSeconds) => {
      const { world, keeper, told, current } = keptLease({ ttl, maxTtl, overlapSeconds });
      await current();
      const least = overlapFor(maxTtl, overlapSeconds);
      expect(Math.abs((keeper.overlap ?? 0) - least)).toBeLessThanOrEqual(INEXACT);
      await world.run(milliseconds(maxTtl * 2.5));
      const replaced = told.flatMap((event) => (event.name === "replaced" ? [event] : []));
      expect(replaced.length).toBeGreaterThanOrEqual(2);
      for (const { at, endsAt = 0 } of replaced) {
        expect(endsAt - at).toBeGreaterThan(least - INEXACT);
        expect(endsAt - at).toBeLessThanOrEqual(maxTtl / 2);
      }
      expect(told.filter(({ name }) => name === "lost" || name === "failing")).toEqual([]);
    }),
    { numRuns: 8 },
  );
});

test("who keeps a login for no longer than the overlap never has one that is over", async () => {
  const waits = fc.array(fc.double({ min: 0.05, max: 1, noNaN: true }), {
    minLength: 10,
    maxLength: 10,
  });
  await fc.assert(
    fc.asyncProperty(role, wish, waits, async ({ ttl, maxTtl }, overlapSeconds, parts) => {
      const { world, machine, keeper, source } = keptLease({ ttl, maxTtl, overlapSeconds });
      const look = async (): Promise<void> => {};
      await using publication = publish({ name: "orders", keeper, look, time: machine });
      const cache = overlapFor(maxTtl, overlapSeconds) - INEXACT;
      for (const part of parts) {
        const { login, nextAt = 0 } = await world.result(
          publication.read(new AbortController().signal),
        );
        expect(nextAt + INEXACT).toBeGreaterThan(world.now());
        await world.run(milliseconds(cache * part));
        expect(source.isValid(login.id)).toBe(true);
      }
    }),
    { numRuns: 8 },
  );
});

test("by default leases of a day overlap by 35 minutes, and by an hour and five if wished", async () => {
  for (const [overlapSeconds, overlap] of [
    [undefined, minutes(35)],
    [3_900, minutes(65)],
  ] as const) {
    const { keeper, current } = keptLease({
      maxTtl: hours(24),
      ...(overlapSeconds !== undefined && { overlapSeconds }),
    });
    await current();
    expect(keeper.overlap).toBe(overlap);
  }
});
