import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { InvalidRequestError } from "../../core/errors.ts";
import type { LeaseRef } from "../../core/leases/lease.ts";
import type { LatchOutcome } from "../../core/leases/lease-ports.ts";
import type { LeaseList } from "../../core/leases/operation/list.ts";
import { operate, type Revocations, type Status } from "../../core/leases/operation/operate.ts";
import { askForOthers } from "../faults/points.ts";
import { backdate, firstRow, leasesOf } from "../support/evidence.ts";
import { type Alias, type Issuer, issuer, logIn, loginRefusal } from "../support/leases.ts";
import type { TestDatabase } from "../support/provisioned.ts";

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer();
});
afterAll(() => lease.close());

/** Ask as an operator. `time` is for how many batches of revocations there is time. */
function ask<Answer>(
  event: unknown,
  time = Number.POSITIVE_INFINITY,
  deps: Issuer["deps"] = lease.deps,
): Promise<Answer> {
  let left = time;
  const mayContinue = () => left-- > 0;
  return operate(deps, event, { actor: "operator", mayContinue }) as Promise<Answer>;
}

/** The same, but a page, and so a batch, has two leases at most. */
const byTwos = ({ engine, ...deps }: Issuer["deps"]): Issuer["deps"] => ({
  ...deps,
  engine: { ...engine, list: (after, limit) => engine.list(after, Math.min(limit, 2)) },
});

const ALIASES: readonly Alias[] = [
  "user-service--readonly",
  "user-service--readwrite",
  "reporting--readonly",
];

describe("an operator", () => {
  beforeEach(async () => {
    await ask({ action: "revoke", everything: true });
    for (const alias of ALIASES) for (const _ of [1, 2]) await lease.issue(alias);
  });

  test("lists all leases page by page, each once, by name", async () => {
    const seen: string[] = [];
    const pages: number[] = [];
    let after: string | undefined = "";
    while (after !== undefined) {
      const page: LeaseList = await ask({ action: "list", limit: 2, after });
      seen.push(...page.leases.map(({ leaseId }) => leaseId.split("/")[2] ?? ""));
      pages.push(page.leases.length);
      after = page.next;
    }
    expect(seen).toEqual(await leasesOf(lease.test));
    expect(pages.filter((count) => count > 2)).toEqual([]);
  });

  test.each<[object, number]>([
    [{ role: "readonly" }, 4],
    [{ role: "readwrite" }, 2],
    [{ consumer: "reporting" }, 2],
    [{ consumer: "user-service", role: "readonly" }, 2],
    [{ state: "live" }, 6],
    [{ state: "expired" }, 0],
    [{ consumer: "nobody" }, 0],
    [{ role: "__proto__" }, 0],
  ])("lists only what %j asks for", async (filter, count) => {
    const { leases } = await ask<LeaseList>({ action: "list", ...filter });
    expect(leases).toHaveLength(count);
  });

  test("sees each state, and what status counts is what list lists", async () => {
    const [first = "", second = ""] = await leasesOf(lease.test);
    await backdate(lease.test, first);
    await firstRow(lease.test, `alter role "${second}" nologin`);
    for (const state of ["expired", "quarantined"])
      expect((await ask<LeaseList>({ action: "list", state })).leases).toHaveLength(1);
    const { leases, foreign } = await ask<Status>({ action: "status" });
    const sum = (state: string) =>
      leases.filter((each) => each.state === state).reduce((all, { count }) => all + count, 0);
    expect([sum("live"), sum("expired"), sum("quarantined"), foreign]).toEqual([4, 1, 1, 0]);
  });

  test("revokes one lease of any consumer", async () => {
    const credential = await lease.issue("reporting--readonly");
    const { leaseId } = credential;
    expect(await ask({ action: "revoke", leaseId })).toMatchObject({ state: "revoked", leaseId });
    expect(await ask({ action: "revoke", leaseId })).toMatchObject({ state: "gone" });
    expect(await loginRefusal(lease.test, credential)).toBe("28P01");
  });

  test("revokes all of a consumer's, live or not, with their sessions, and nobody else's", async () => {
    const [mine, other] = [await lease.issue("reporting--readonly"), await lease.issue()];
    const sessions = [await logIn(lease.test, mine), await logIn(lease.test, other)] as const;
    const answer = await ask<Revocations>({ action: "revoke", consumer: "reporting" });
    expect(answer).toEqual({ revoked: 3, quarantined: 0, unverified: 0, failed: [] });
    await expect(sessions[0].query("select 1")).rejects.toThrow(
      /terminat|not queryable|connection/i,
    );
    expect((await sessions[1].query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    expect((await leasesOf(lease.test)).filter((name) => name.includes("_reporting_"))).toEqual([]);
    expect(await leasesOf(lease.test)).toHaveLength(5);
    await sessions[1].end();
  });

  test("revokes by the beginning of the name", async () => {
    const [name = ""] = await leasesOf(lease.test);
    expect(await ask({ action: "revoke", prefix: name })).toMatchObject({ revoked: 1 });
    expect(await ask({ action: "revoke", prefix: "mf_" })).toMatchObject({ revoked: 5 });
    expect(await leasesOf(lease.test)).toEqual([]);
  });

  test("revokes everything, again and again, and says that there was nothing left", async () => {
    expect(await ask({ action: "revoke", everything: true })).toMatchObject({ revoked: 6 });
    expect(await ask({ action: "revoke", everything: true })).toEqual({
      revoked: 0,
      quarantined: 0,
      unverified: 0,
      failed: [],
    });
    expect(await leasesOf(lease.test)).toEqual([]);
  });

  test("who runs out of time is told where to go on, and gets to the end", async () => {
    let revoked = 0;
    let calls = 0;
    let next: string | undefined;
    do {
      const event = { action: "revoke", everything: true, ...(next && { after: next }) };
      const answer: Revocations = await ask(event, 1, byTwos(lease.deps));
      expect(answer.revoked).toBeLessThanOrEqual(2);
      revoked += answer.revoked;
      calls += 1;
      next = answer.next;
    } while (next !== undefined && calls < 10);
    // three batches, and a page that tells that there is no more
    expect([revoked, calls]).toEqual([6, 4]);
    expect(await leasesOf(lease.test)).toEqual([]);
  });

  test("who has no time at all is told to begin at the beginning", async () => {
    const answer = await ask<Revocations>({ action: "revoke", everything: true }, 0);
    expect(answer).toMatchObject({ revoked: 0, next: expect.any(String) });
    const { next } = answer;
    expect(await ask({ action: "revoke", everything: true, after: next })).toMatchObject({
      revoked: 6,
    });
  });

  test("is told which leases could not be revoked, and the others are", async () => {
    const stubborn = (await leasesOf(lease.test))[2];
    const { engine } = lease.deps;
    const no = { kind: "failed", step: "latch", code: "XX000", passes: true } as const;
    const deps: Issuer["deps"] = {
      ...lease.deps,
      engine: {
        ...engine,
        latch: (leases, options) =>
          askForOthers<LeaseRef, LatchOutcome>(leases, stubborn, no, (others) =>
            engine.latch(others, options),
          ),
      },
    };
    const event = { action: "revoke", everything: true };
    const answer = await operate(deps, event, { actor: "operator", mayContinue: () => true });
    expect(answer).toMatchObject({
      revoked: 5,
      failed: [
        {
          leaseId: expect.stringContaining(stubborn ?? "-"),
          errorType: "DatabaseUnavailableError",
          reason: expect.stringMatching(/could not be latched \(step "latch", code XX000\)/),
        },
      ],
    });
    expect(await leasesOf(lease.test)).toEqual([stubborn]);
  });
});

test("a lease that the database refuses to revoke is told with step, code and remedy, wherever", async () => {
  const { leaseId, username } = await lease.issue("user-service--readonly");
  const everyIssuer = `select rolname from pg_roles where rolname ~ '^mf_${lease.test.tag}_issuer_'`;
  const may = (attribute: string) =>
    firstRow(
      lease.test,
      `do $$ declare r record; begin for r in ${everyIssuer} loop
         execute format('alter role %I ${attribute}', r.rolname); end loop; end $$`,
    );
  const reported = {
    errorType: "StatementRejectedError",
    reason: `lease ${leaseId} could not be latched: the database rejected step "latch" (code 42501); mayfly converge gives Mayfly's roles what they need; docs/errors.md has the step`,
  };
  await may("nocreaterole");
  try {
    await expect(lease.issue("user-service--readonly")).rejects.toThrow(
      'the database rejected step "issue" (code 42501); mayfly converge gives',
    );
    const before = lease.audit.length;
    const revoked = await ask<Revocations>({ action: "revoke", prefix: username });
    expect(revoked).toEqual({
      revoked: 0,
      quarantined: 0,
      unverified: 0,
      failed: [{ leaseId, ...reported }],
    });
    await backdate(lease.test, username);
    expect(await ask({ action: "sweep" })).toMatchObject({
      left: 1,
      failed: [{ leaseId, ...reported }],
    });
    const lines = lease.audit.slice(before);
    expect(lines.filter(({ event }) => event === "lease.failed")).toEqual(
      [1, 2].map(() => expect.objectContaining({ leaseId, actor: "operator", ...reported })),
    );
    expect(lines.at(-1)).toMatchObject({ event: "sweep.finished", left: 1, failed: 1 });
    await expect(ask({ action: "revoke", leaseId })).rejects.toMatchObject({
      name: reported.errorType,
      message: reported.reason,
    });
  } finally {
    await may("createrole");
  }
  expect(await ask({ action: "revoke", leaseId })).toMatchObject({ state: "revoked" });
});

describe("an operator's request is refused, and nothing is sent,", () => {
  const anotherTag = "orders/readonly/mf_zzzz_readonly_a_00000000aaaaaaaaaaaaaa";
  test.each<[string, unknown, RegExp]>([
    ["that is nothing", null, /the request null is not a JSON object/],
    ["that is a list", [], /the request \(a list\) is not a JSON object/],
    ["without an action", {}, /has no action; send .* one of list, revoke, sweep, status/],
    ["of an unknown action", { action: "drop" }, /action "drop" is not one of/],
    ["of an inherited action", { action: "constructor" }, /action "constructor" is not one of/],
    [
      "with an unknown field",
      { action: "list", rôle: "x" },
      /list does not know "rôle"; its fields/,
    ],
    [
      "with a field of another action",
      { action: "sweep", everything: true },
      /sweep does not know/,
    ],
    [
      "with an unknown state",
      { action: "list", state: "alive" },
      /state "alive" is not one of live/,
    ],
    ["with a limit of 0", { action: "list", limit: 0 }, /limit 0 is not 1 to 500/],
    ["with a limit of 501", { action: "list", limit: 501 }, /limit 501 is not 1 to 500/],
    ["with a limit of text", { action: "list", limit: "5" }, /limit "5" is not/],
    ["with a filter that is no text", { action: "list", role: 5 }, /role 5 is not a text/],
    ["with a NUL", { action: "list", after: "mf_\0" }, /after "mf_\\u0000" is not a text/],
    ["with our quoting tag", { action: "list", after: "z$mf$" }, /after "z\$mf\$" is not a text/],
    [
      "with 10 kB",
      { action: "list", after: "x".repeat(10_000) },
      /after "x+"… \(10000 characters\)/,
    ],
    ["to revoke nothing in particular", { action: "revoke" }, /exactly one of leaseId.* got none/],
    [
      "to revoke two things",
      { action: "revoke", consumer: "a", everything: true },
      /exactly one of .* got consumer, everything/,
    ],
    ["to revoke everything: no", { action: "revoke", everything: false }, /everything is true or/],
    [
      "to revoke everything: yes",
      { action: "revoke", everything: "true" },
      /everything is true or/,
    ],
    [
      "to revoke the empty prefix",
      { action: "revoke", prefix: "" },
      /prefix "" matches every lease; send/,
    ],
    ["to revoke no lease id", { action: "revoke", leaseId: "x" }, /leaseId "x" is not a lease id/],
    [
      "to revoke another stack's",
      { action: "revoke", leaseId: anotherTag },
      /does not belong to database/,
    ],
  ])("%s", async (_, event, message) => {
    const before = [lease.roundTrips(), await leasesOf(lease.test)];
    const failure = await ask(event).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message.length).toBeLessThan(400);
    expect([lease.roundTrips(), await leasesOf(lease.test)]).toEqual(before);
  });
});
