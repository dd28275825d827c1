import { expect, test } from "vitest";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import type { Incarnate, Reader, ReaderLook, Readers } from "../../core/leases/lease-ports.ts";
import {
  type Awaited,
  askReaders,
  decideLook,
  followReaders,
  forOnePass,
  REPLICATION_PATIENCE,
} from "../../core/leases/readers.ts";
import { decideKeep } from "../../core/leases/revocation/end-and-drop.ts";
import type { Instant, Time } from "../../core/time.ts";

const ROLE = { incarnation: "20000", username: "mf_some_lease" };
const seen = (look: Partial<ReaderLook> = {}): ReaderLook => ({
  replays: true,
  role: "latched",
  ended: 0,
  remaining: 0,
  ...look,
});

/** Time that passes only while the code waits. */
function jumpingTime(): Time & { readonly waited: () => number } {
  let now = 0;
  return {
    now: () => now as Instant,
    wait: async (length) => {
      now += length;
    },
    waited: () => now,
  };
}

/** One reader that answers so, the same of every role, the last for ever. */
function reader(...looks: (ReaderLook | Error)[]) {
  return readerThat((_role, round) => {
    const look = looks[Math.min(round, looks.length - 1)];
    if (look === undefined || look instanceof Error) throw look;
    return look;
  });
}

/** One reader whose answers follow from the role and the number of calls before. */
function readerThat(answer: (role: Incarnate, round: number) => ReaderLook) {
  let calls = 0;
  const seen: string[][] = [];
  const one: Reader = {
    server: "r:5432",
    look: async (roles) => {
      const round = calls++;
      seen.push(roles.map(({ username }) => username));
      return roles.map((role) => answer(role, round));
    },
    countSessions: async (role) => answer(role, calls++).remaining,
    sessionsWithoutRole: async () => [],
    findWatched: async () => ({ server: "r:5432", users: [] }),
  };
  const readers: Readers = { list: async () => [one] };
  return { readers, seen, calls: () => calls };
}

test.each<[string, Partial<ReaderLook>, Awaited, ReturnType<typeof decideLook>]>([
  ["a latch and no session", {}, "latch", "done"],
  ["a latch and a session that was ended", { ended: 1 }, "latch", "count"],
  ["a latch and a session that stays", { remaining: 1 }, "latch", "count"],
  ["a role that can log in", { role: "open" }, "latch", "wait"],
  ["a role that may not have arrived yet", { role: "absent" }, "latch", "wait"],
  ["a role that was dropped", { role: "absent" }, "end", "done"],
  ["a latch whose DROP has not arrived", {}, "end", "done"],
  ["a role that can log in after its DROP", { role: "open" }, "end", "wait"],
  ["a promoted server without the latch", { replays: false, role: "open" }, "latch", "no reader"],
  ["another cluster's server", { replays: false, role: "absent" }, "latch", "no reader"],
  ["the new writer, which has the latch", { replays: false }, "latch", "done"],
])("%s: %j awaited as %s is %s", (_what, look, awaited, decision) => {
  expect(decideLook(seen(look), awaited)).toBe(decision);
});

test("the pass waits for a replicated latch, and counts sessions until then", async () => {
  const time = jumpingTime();
  const { readers } = reader(seen({ role: "open", ended: 2 }), seen({ ended: 1 }), seen());
  expect(await followReaders({ readers, time }, [ROLE], "latch")).toEqual([
    [{ server: "r:5432", ended: 3, remaining: 0, latchSeen: true }],
  ]);
});

test("several roles are looked at together, each until it is done, and answered in their order", async () => {
  const [slow, quick, stuck] = ["slow", "quick", "stuck"].map((username, i) => ({
    username,
    incarnation: `${20_000 + i}`,
  })) as [Incarnate, Incarnate, Incarnate];
  const one = readerThat(({ username }, round) => {
    if (username === "quick") return seen();
    if (username === "stuck") return seen({ remaining: 1 });
    return round < 2 ? seen({ role: "open", ended: 1 }) : seen();
  });
  const time = jumpingTime();
  const found = await followReaders({ readers: one.readers, time }, [slow, quick, stuck], "latch");
  expect(found).toEqual([
    [{ server: "r:5432", ended: 2, remaining: 0, latchSeen: true }],
    [{ server: "r:5432", ended: 0, remaining: 0, latchSeen: true }],
    [{ server: "r:5432", ended: 0, remaining: 1, latchSeen: true }],
  ]);
  expect(one.seen.slice(0, 4)).toEqual([
    ["slow", "quick", "stuck"],
    ["slow", "stuck"],
    ["slow", "stuck"],
    ["stuck"],
  ]);
  expect(one.calls()).toBe(10);
});

test("the first ten ended sessions are reported, over all checks", async () => {
  const who = (round: number) => [{ application: `app ${round}`, address: "10.0.0.1" }];
  const { readers } = readerThat((_, round) =>
    round < 12 ? seen({ role: "open", ended: 1, who: who(round) }) : seen(),
  );
  const [[one] = []] = await followReaders({ readers, time: jumpingTime() }, [ROLE], "latch");
  expect(one).toMatchObject({ ended: 12, remaining: 0, latchSeen: true });
  expect(one?.who).toEqual(Array.from({ length: 10 }, (_, round) => who(round)).flat());
});

test("without roles no reader is called", async () => {
  const { readers, calls } = reader(seen());
  expect(await followReaders({ readers, time: jumpingTime() }, [], "latch")).toEqual([]);
  expect(calls()).toBe(0);
});

test("a latch that does not arrive is given up on after two seconds", async () => {
  const time = jumpingTime();
  const { readers } = reader(seen({ role: "open" }));
  const [[late] = []] = await followReaders({ readers, time }, [ROLE], "latch");
  expect(late).toMatchObject({ latchSeen: false, fault: { kind: "late" } });
  expect(time.waited()).toBe(REPLICATION_PATIENCE);
});

test("within one pass a failed reader is not called again, and a lagging one is not waited for", async () => {
  const time = jumpingTime();
  const down = reader(new DatabaseUnavailableError("it is down; wait and retry"));
  const pass = forOnePass({ readers: down.readers, time });
  for (const _ of [1, 2, 3])
    expect(await followReaders(pass, [ROLE], "latch")).toMatchObject([
      [{ fault: { kind: "unreachable", why: "it is down; wait and retry" } }],
    ]);
  expect(await askReaders(pass, (each) => each.sessionsWithoutRole())).toEqual({
    answers: [],
    unseen: [{ server: "r:5432", reason: "it is down; wait and retry" }],
  });
  expect(down.calls()).toBe(1);

  const lagging = reader(seen({ role: "open" }));
  const second = forOnePass({ readers: lagging.readers, time });
  await followReaders(second, [ROLE], "latch");
  const before = { waited: time.waited(), calls: lagging.calls() };
  await followReaders(second, [ROLE], "latch");
  expect({ waited: time.waited(), calls: lagging.calls() }).toEqual({
    ...before,
    calls: before.calls + 1,
  });
});

test("of an unexpected error only the name is reported", async () => {
  const { readers } = reader(new Error("password=hunter2"));
  const [[failed] = []] = await followReaders({ readers, time: jumpingTime() }, [ROLE], "latch");
  expect(failed?.fault).toEqual({ kind: "unreachable", why: "Error" });
});

const WRITER = { server: "w:5432", ended: 0, remaining: 0 };
const READER = { server: "r:5432", ended: 0, remaining: 0, latchSeen: true };
const held = (database: string) => ({
  database,
  catalog: "sessions",
  kind: "session",
  count: 1,
});
const late = { kind: "late", why: "" } as const;

test.each([
  ["no session anywhere", [WRITER], [READER], undefined],
  [
    "a session on the writer",
    [{ ...WRITER, remaining: 1 }],
    [READER],
    { state: "quarantined", blockers: [held("w:5432")] },
  ],
  [
    "a session on a reader",
    [WRITER],
    [{ ...READER, remaining: 1 }],
    { state: "unverified", blockers: [held("r:5432")] },
  ],
  [
    "a reader without the latch, and a session on the writer",
    [{ ...WRITER, remaining: 1 }],
    [{ ...READER, latchSeen: false, fault: late }],
    {
      state: "unverified",
      blockers: [
        { database: "r:5432", catalog: "roles", kind: "server", count: 1 },
        held("w:5432"),
      ],
    },
  ],
])("%s decides whether the role is kept, and what for", (_what, writer, readers, kept) => {
  expect(decideKeep(writer, readers)).toEqual(kept);
});
