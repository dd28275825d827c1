import { describe, expect, test } from "vitest";
import type { LeaseRef } from "../../core/leases/lease.ts";
import type { DropOutcome, Scheduler } from "../../core/leases/lease-ports.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { askForOthers } from "../faults/points.ts";
import { backdate, firstRow, leasesOf, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import {
  type Issuer,
  issuer,
  issuerOn,
  logIn,
  loginRefusal,
  sharedIssuer,
} from "../support/leases.ts";
import type { TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const swept = ({ deps }: Issuer, changed: Partial<Issuer["deps"]> = {}) =>
  sweep({ ...deps, ...changed }, { actor: "sweep", mayContinue: () => true });

const NOTHING_TO_DO = {
  live: 0,
  revoked: 0,
  quarantined: 0,
  unverified: 0,
  left: 0,
  schedulesMade: 0,
  schedulesRemoved: 0,
  stragglersEnded: 0,
  foreign: [],
};

const emptied = sharedIssuer();

/** Run a test on a database without leases. */
const on =
  (run: (lease: Issuer & { readonly test: TestDatabase }) => Promise<void>) => async () => {
    const lease = await emptied();
    await run(lease);
    await lease.close();
  };

describe("a sweep", () => {
  test(
    "of a database without leases finds nothing",
    on(async (lease) => {
      expect(await swept(lease)).toMatchObject(NOTHING_TO_DO);
    }),
  );

  test(
    "revokes what is due, ends its sessions, and leaves what is not",
    on(async (lease) => {
      const [due, live] = [await lease.issue(), await lease.issue()];
      const oid = await oidOf(lease.test, due.username);
      const sessions = [await logIn(lease.test, due), await logIn(lease.test, live)] as const;
      await backdate(lease.test, due.username);
      expect(await swept(lease)).toMatchObject({ ...NOTHING_TO_DO, live: 1, revoked: 1 });
      expect(await leftOf(lease.test, due, oid)).toEqual(NOTHING);
      expect((await sessions[1].query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      await sessions[1].end();
    }),
  );

  test(
    "revokes a lease that was latched and forgotten, and one whose expiry was taken away",
    on(async (lease) => {
      const credentials = [await lease.issue(), await lease.issue(), await lease.issue()];
      const [a, b, c] = credentials.map(({ username }) => username);
      await firstRow(lease.test, `alter role "${a}" nologin`);
      await firstRow(lease.test, `alter role "${b}" valid until 'infinity'`);
      await firstRow(lease.test, `alter role "${c}" nologin valid until '2099-01-01'`);
      expect(await swept(lease)).toMatchObject({ ...NOTHING_TO_DO, revoked: 3 });
      expect(await leasesOf(lease.test)).toEqual([]);
    }),
  );

  test(
    "makes the schedule of a live lease that has none, once",
    on(async (lease) => {
      lease.scheduler.failNext(3);
      const credential = await lease.issue();
      expect(credential.revocationScheduled).toBe(false);
      expect(lease.scheduler.schedules.size).toBe(0);
      expect(await swept(lease)).toMatchObject({ live: 1, schedulesMade: 1 });
      expect(await swept(lease)).toMatchObject({ live: 1, schedulesMade: 0 });
      const incarnation = await oidOf(lease.test, credential.username);
      const { leaseId } = credential;
      expect([...lease.scheduler.schedules.values()]).toEqual([{ leaseId, incarnation }]);
    }),
  );

  test(
    "lets the schedule of a lease stand that was renewed since: it will make the next itself",
    on(async (lease) => {
      const { leaseId } = await lease.issue(ALIAS, { ttlSeconds: 60 });
      await lease.ask(ALIAS, { action: "renew", leaseId, ttlSeconds: 3_600 });
      const before = [...lease.scheduler.schedules.keys()];
      expect(await swept(lease)).toMatchObject({ ...NOTHING_TO_DO, live: 1 });
      expect([...lease.scheduler.schedules.keys()]).toEqual(before);
    }),
  );

  test(
    "makes another schedule for a lease whose own stands only after its expiry",
    on(async (lease) => {
      const { username } = await lease.issue(ALIAS, { ttlSeconds: 3_600 });
      await firstRow(
        lease.test,
        `do $$ begin execute format('alter role %I valid until %L', '${username}',
           clock_timestamp() + interval '5 minutes'); end $$`,
      );
      expect(await swept(lease)).toMatchObject({ live: 1, schedulesMade: 1 });
    }),
  );

  test(
    "ends by OID what is left of a lease that is gone, and removes its schedule",
    on(async (lease) => {
      const credential = await lease.issue();
      const oid = await oidOf(lease.test, credential.username);
      const session = await logIn(lease.test, credential);
      await firstRow(lease.test, `drop role "${credential.username}"`);
      expect(await swept(lease)).toMatchObject({
        ...NOTHING_TO_DO,
        schedulesRemoved: 1,
        stragglersEnded: 1,
      });
      expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
      expect(await lease.scheduler.names()).toEqual([]);
      expect(lease.metrics).toContainEqual({ metric: "StragglersEnded", value: 1 });
      await session.end().catch(() => {});
    }),
  );

  test(
    "reports a session whose role is gone and was never a lease, and does not touch it",
    on(async (lease) => {
      const unknown = `unknown_${lease.test.tag}`;
      await firstRow(lease.test, `create role ${unknown} login password 'x'`);
      const credential = { ...(await lease.issue()), username: unknown, password: "x" };
      const session = await logIn(lease.test, credential);
      await firstRow(lease.test, `drop role ${unknown}`);
      const { unknownSessions, stragglersEnded } = await swept(lease);
      expect(unknownSessions).toBeGreaterThanOrEqual(1);
      expect(stragglersEnded).toBe(0);
      expect((await session.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      await session.end();
    }),
  );

  test(
    "with no time left revokes nothing and says what is left",
    on(async (lease) => {
      const { username } = await lease.issue();
      await backdate(lease.test, username);
      const report = await sweep(lease.deps, { actor: "sweep", mayContinue: () => false });
      expect(report).toMatchObject({ ...NOTHING_TO_DO, left: 1 });
      expect(await swept(lease)).toMatchObject({ ...NOTHING_TO_DO, revoked: 1 });
    }),
  );

  test(
    "goes on after a lease that cannot be revoked now",
    on(async (lease) => {
      const credentials = [await lease.issue(), await lease.issue(), await lease.issue()];
      for (const { username } of credentials) await backdate(lease.test, username);
      const stubborn = (await leasesOf(lease.test))[1];
      const notNow = { kind: "failed", step: "drop_leases", code: "XX000", passes: true } as const;
      const engine: Issuer["deps"]["engine"] = {
        ...lease.deps.engine,
        drop: (leases) =>
          askForOthers<LeaseRef, DropOutcome>(leases, stubborn, notNow, (others) =>
            lease.deps.engine.drop(others),
          ),
      };
      expect(await swept(lease, { engine })).toMatchObject({ revoked: 2, left: 1 });
      expect(await leasesOf(lease.test)).toEqual([stubborn]);
      expect(await swept(lease)).toMatchObject({ revoked: 1, left: 0 });
    }),
  );

  test(
    "reads more leases than one page holds",
    on(async (lease) => {
      // Made by hand: 501 real issues would take longer and show nothing more.
      const prefix = `mf_${lease.test.tag}_readonly_user-service_00000000aa`;
      await firstRow(
        lease.test,
        `set role mf_${lease.test.tag}_issuer_aa;
         do $$ begin for n in 1000..1500 loop
           execute format('create role %I login valid until ''2001-01-01'' in role %I %s',
             '${prefix}' || translate(lpad(n::text, 12, '0'), '0123456789', 'abcdefghij'),
             'mf_${lease.test.tag}_group_readonly',
             case when current_setting('server_version_num')::int < 160000
               then 'admin mf_${lease.test.tag}_issuer_aa' else '' end);
         end loop; end $$`,
      );
      const report = await sweep(lease.deps, { actor: "sweep", mayContinue: () => false });
      expect(report).toMatchObject({ left: 501, foreign: [] });
      await firstRow(
        lease.test,
        `do $$ declare r record; begin
           for r in select rolname from pg_roles where rolname like '${prefix}%' loop
             execute format('drop role %I', r.rolname);
           end loop; end $$`,
      );
    }),
  );
});

describe("a Scheduler that fails", () => {
  const DOWN = () => Promise.reject(new Error("scheduler is down"));

  test.each<keyof Scheduler>(["names", "read", "remove", "create"])(
    "in %s keeps no due lease from being revoked",
    async (operation) => {
      const lease = await emptied();
      const gone = await lease.issue();
      await firstRow(lease.test, `drop role "${gone.username}"`);
      lease.scheduler.failNext(3);
      await lease.issue();
      const due = await lease.issue();
      const oid = await oidOf(lease.test, due.username);
      await backdate(lease.test, due.username);
      const scheduler = { ...lease.scheduler, [operation]: DOWN };
      const outcome = await swept(lease, { scheduler }).then(
        () => "Error: scheduler is down, but what is due was swept",
        String,
      );
      expect(outcome).toContain("scheduler is down");
      expect(await leftOf(lease.test, due, oid)).toEqual(NOTHING);
      expect(await swept(lease)).toMatchObject({ live: 1, left: 0, foreign: [] });
      expect((await lease.scheduler.names()).filter((name) => !name.endsWith("recheck"))).toEqual([
        expect.any(String),
      ]);
      await lease.close();
    },
  );
});

describe("a sweep that fails", () => {
  const broken = () => Promise.reject(new Error("broken"));
  type Engine = Issuer["deps"]["engine"];
  const KEPT = { QuarantinedLeases: 0, UnverifiedLeases: 0, ForeignRoles: 0 };

  test.each<[string, (engine: Engine) => Partial<Engine>, object]>([
    ["where it finds nothing out", () => ({ sighting: broken }), {}],
    ["before the first page", () => ({ list: broken }), {}],
    [
      "after a page with due leases",
      (engine) => ({ list: (after) => (after === "" ? engine.list("", 1) : broken()) }),
      { OverdueLeases: 1 },
    ],
    [
      "in revoking, and then in its last look",
      () => ({ drop: broken, findUnknown: broken }),
      { ...KEPT, OverdueLeases: 2 },
    ],
    ["in its last look", () => ({ findUnknown: broken }), { ...KEPT, OverdueLeases: 0 }],
  ])("%s has expected what it knew, and has not finished", async (_, change, expected) => {
    const lease = await emptied();
    for (const { username } of [await lease.issue(), await lease.issue()])
      await backdate(lease.test, username);
    lease.metrics.length = 0;
    const engine = { ...lease.deps.engine, ...change(lease.deps.engine) };
    await expect(swept(lease, { engine })).rejects.toThrow("broken");
    const seen = lease.metrics.filter(({ metric }) => /Leases$|Roles$/.test(metric));
    expect(Object.fromEntries(seen.map(({ metric, value }) => [metric, value]))).toEqual(expected);
    expect(lease.audit.map(({ event }) => event)).not.toContain("sweep.finished");
    await lease.close();
  });
});

test("two stacks on one cluster do not see each other's leases, due or not", async () => {
  const [ours, theirs] = [await emptied(), await issuer()];
  const credentials = [await theirs.issue(), await theirs.issue()] as const;
  await backdate(theirs.test, credentials[0].username);
  const shared = { ...theirs, scheduler: ours.scheduler };
  expect(await swept(ours)).toMatchObject(NOTHING_TO_DO);
  expect(await loginRefusal(theirs.test, credentials[1])).toBeUndefined();
  expect(await leasesOf(theirs.test)).toHaveLength(2);
  expect(await swept(shared)).toMatchObject({ revoked: 1, live: 1 });
  await Promise.all([ours.close(), theirs.close()]);
});

test("sweeps at once, and revocations among them, end in the same: nothing due, all else alive", async () => {
  const first = await emptied();
  const others = [1, 2].map(() => issuerOn(first.test, { scheduler: first.scheduler }));
  const due = [];
  for (let n = 0; n < 8; n++) due.push(await first.issue());
  const live = await first.issue();
  for (const { username } of due) await backdate(first.test, username);
  const { leaseId } = due[3] ?? live;
  await Promise.all([
    swept(first),
    ...others.map((each) => swept(each)),
    issuerOn(first.test).ask(ALIAS, { action: "revoke", leaseId }),
  ]);
  expect(await leasesOf(first.test)).toEqual([live.username]);
  expect(await loginRefusal(first.test, live)).toBeUndefined();
  expect(await swept(first)).toMatchObject({ live: 1, revoked: 0, left: 0 });
  await Promise.all([first, ...others].map((each) => each.close()));
});

test("a scheduler of nobody's names is left as it is", async () => {
  const lease = await emptied();
  for (const name of ["someone-elses", "abc", "aaaaaaaaaaaa-1-other", ""])
    lease.scheduler.schedules.set(name, { leaseId: "x", incarnation: "10" });
  expect(await swept(lease)).toMatchObject(NOTHING_TO_DO);
  expect(lease.scheduler.schedules.size).toBe(4);
  await lease.close();
});

test(
  "the age of rotated secrets is looked at last, and not when time is short",
  on(async (lease) => {
    let looks = 0;
    const secretsOverdue = async () => {
      looks += 1;
      return ["reports"];
    };
    const options = { actor: "sweep", secretsOverdue };
    const report = await sweep(lease.deps, { ...options, mayContinue: () => true });
    expect(report).toMatchObject({ secretsOverdue: ["reports"] });
    expect(lease.audit.at(-1)).toMatchObject({
      event: "sweep.finished",
      secretsOverdue: ["reports"],
    });
    const hurried = await sweep(lease.deps, { ...options, mayContinue: () => false });
    expect(hurried).not.toHaveProperty("secretsOverdue");
    expect(looks).toBe(1);
  }),
);
