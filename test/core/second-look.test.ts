import { expect, test } from "vitest";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import type { Engine, LatchOutcome, LeaseDeps, ReaderLook } from "../../core/leases/lease-ports.ts";
import { revokeMany } from "../../core/leases/revocation/revoke.ts";
import { type Duration, type Instant, minutes, plus, seconds } from "../../core/time.ts";
import { memoryScheduler } from "../support/memory-scheduler.ts";

/** When the call begins, by all clocks. */
const START = 1_700_000_000_000 as Instant;
/** The time of a latch whose logins are over. */
const OLD = (START - minutes(9)) as Instant;
const HOW = { onlyIfDue: true, actor: "operator" };

function lease(letter: string) {
  const username = `mf_abcd_readonly_user-service_00000000aa${letter.repeat(12)}`;
  const name = parseLeaseName(username);
  if (name === undefined) throw new Error(`${username} is not the name of a lease`);
  return { name, username, incarnation: "16500" };
}
const [A, B] = [lease("a"), lease("b")];

/** A database whose latches have these answers, one a call, by the lease's letter. */
function world(
  latches: readonly Readonly<Record<string, LatchOutcome>>[],
  engine: Partial<Engine> = {},
) {
  let now: Instant = START;
  let calls = 0;
  const scheduler = memoryScheduler();
  const fires: number[] = [];
  const looks: ReaderLook[] = [];
  const letterOf = (username: string): string => username.at(-1) ?? "";
  const all: Partial<Engine> = {
    findStrays: async () => [],
    latch: async (leases) => {
      const answers = latches[calls++] ?? {};
      return leases.map(({ username }) => answers[letterOf(username)] ?? { kind: "gone" });
    },
    endSessions: async (of) => of.map(() => ({ server: "writer:5432", ended: 0, remaining: 0 })),
    drop: async (leases) => leases.map(() => ({ kind: "dropped", at: now })),
    markUnverified: async () => {},
    ...engine,
  };
  const reader = {
    server: "reader:5432",
    look: async (roles: readonly unknown[]) => {
      const look = looks.shift() ?? { replays: true, role: "latched", ended: 0, remaining: 0 };
      return roles.map(() => look);
    },
  };
  const deps = {
    database: "orders",
    tag: "abcd",
    engine: all,
    readers: { list: async () => [reader] },
    scheduler: {
      ...scheduler,
      create: (name: string, second: number, input: never) => {
        fires.push(second);
        return scheduler.create(name, second, input);
      },
    },
    telemetry: { audit: () => {}, measure: () => {} },
    time: {
      now: () => now,
      wait: async (length: Duration) => {
        now = plus(now, length);
      },
    },
  } as unknown as LeaseDeps;
  const withoutReaders = { ...deps, readers: { list: async () => [] } };
  const pass = (length: Duration): void => {
    now = plus(now, length);
  };
  return { deps, withoutReaders, scheduler, fires, looks, now: () => now, pass };
}

const latched = (more: Partial<LatchOutcome> = {}): LatchOutcome =>
  ({
    kind: "latched",
    at: START,
    wasOpen: true,
    ended: 0,
    memberships: [],
    ...more,
  }) as LatchOutcome;

test("a second look is a minute after a reader has the latch, also if another lease of the call was waited for", async () => {
  const notDue = { kind: "not due", at: START, expiresAt: plus(START, seconds(2)) } as const;
  // the other is gone when it is due, so its time moves nothing
  const { deps, fires, looks, now } = world([{ a: latched(), b: notDue }]);
  const late: ReaderLook = { replays: true, role: "open", ended: 0, remaining: 0 };
  looks.push(late, late);
  await revokeMany(deps, [A, B], HOW);
  expect(now()).toBeGreaterThan(plus(START, seconds(2)));
  expect(fires).toEqual([Math.ceil(now() / 1_000) + 60]);
});

test("a second look is a minute after the latch was committed, which may take its time", async () => {
  const { withoutReaders, fires, pass } = world([], {
    latch: async () => {
      pass(seconds(5));
      return [latched()];
    },
  });
  await revokeMany(withoutReaders, [A], HOW);
  expect(fires).toEqual([START / 1_000 + 65]);
});

test("the mark of an unverified lease stays until its second look is scheduled", async () => {
  const unverified = latched({ wasOpen: false, latchedAt: OLD, unverifiedAt: OLD });
  const { deps, scheduler } = world([{ a: unverified, b: unverified }], {
    markUnverified: async () => {
      throw new Error("the database is away");
    },
  });
  const answers = await revokeMany(deps, [A, B], HOW);
  expect(answers.map((each) => "error" in each)).toEqual([true, true]);
  expect([...scheduler.schedules.values()]).toEqual([
    {
      recheck: [A, B].map(({ username }) =>
        expect.objectContaining({
          leaseId: `orders/readonly/${username}`,
        }),
      ),
    },
  ]);
});

test("a lease whose first attempt was killed before it looked at a reader has its second look", async () => {
  const again = latched({ wasOpen: false, latchedAt: OLD });
  const { deps, withoutReaders, scheduler, fires } = world([{ a: again }, { a: again }]);
  await revokeMany(withoutReaders, [A], HOW);
  expect(fires).toEqual([]);
  await revokeMany(deps, [A], HOW);
  expect(fires).toEqual([START / 1_000 + 60]);
  expect(scheduler.schedules.size).toBe(1);
});

test("a lease that stays in quarantine makes no schedule with readers either", async () => {
  const again = latched({ wasOpen: false, latchedAt: OLD });
  const blocker = { database: "orders", catalog: "pg_proc", kind: "owner", count: 1 };
  const { deps, fires } = world([{ a: again }], {
    drop: async () => [{ kind: "blocked", blockers: [blocker], litter: [] }],
  });
  const [answer] = await revokeMany(deps, [A], HOW);
  expect(answer).toMatchObject({ receipt: { state: "quarantined" } });
  expect(fires).toEqual([]);
});

test("a lease that was kept when another was dropped has its second look with its own drop", async () => {
  const first = latched({ latchedAt: START });
  const again = latched({ wasOpen: false, latchedAt: START, at: plus(START, seconds(30)) });
  const blocker = { database: "orders", catalog: "pg_proc", kind: "owner", count: 1 };
  let isBlocked = true;
  const { withoutReaders, scheduler } = world(
    [
      { a: first, b: first },
      { a: again, b: again },
    ],
    {
      endSessions: async (of) =>
        of.map(({ incarnation }) => ({
          server: "writer:5432",
          ended: 0,
          remaining: isBlocked && incarnation === "16501" ? 1 : 0,
        })),
      drop: async (leases) =>
        leases.map(() =>
          isBlocked
            ? { kind: "blocked", blockers: [blocker], litter: [] }
            : { kind: "dropped", at: START },
        ),
    },
  );
  const kept = { ...B, incarnation: "16501" };
  await revokeMany(withoutReaders, [A, kept], HOW);
  isBlocked = false;
  await revokeMany(withoutReaders, [A, kept], HOW);
  const looked = [...scheduler.schedules.values()].flatMap((input) =>
    "recheck" in input ? input.recheck.map(({ incarnation }) => incarnation) : [],
  );
  expect(new Set(looked)).toEqual(new Set(["16500", "16501"]));
});
