import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Credential } from "../../../core/leases/credential.ts";
import type { LeaseRef } from "../../../core/leases/lease.ts";
import { parseLeaseId } from "../../../core/leases/lease-id.ts";
import { revokeMany } from "../../../core/leases/revocation/revoke.ts";
import { firstRow, leftOf, NOTHING, oidOf } from "../../support/evidence.ts";
import { type Issuer, issuer, logIn } from "../../support/leases.ts";
import { runAs, type TestDatabase } from "../../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const revoking = { onlyIfDue: false, actor: "test" };

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer({ shards: 3 });
});
afterAll(() => lease.close());

const many = (count: number): Promise<Credential[]> =>
  Promise.all(Array.from({ length: count }, () => lease.issue(ALIAS)));

const refOf = async ({ leaseId, username }: Credential): Promise<LeaseRef> => ({
  ...parseLeaseId(leaseId),
  incarnation: await oidOf(lease.test, username),
});

test("leases that hold their own row keep no other of a batch, and are latched all the same", async () => {
  const credentials = await many(12);
  const refs = await Promise.all(credentials.map(refOf));
  const holders: pg.Client[] = [];
  for (const credential of credentials.slice(0, 5)) {
    const session = await logIn(lease.test, credential);
    await session.query("begin");
    await session.query("alter role current_user password 'mine'");
    holders.push(session);
  }
  const start = performance.now();
  const outcomes = await lease.deps.engine.latch(refs, { onlyIfDue: false });
  expect(outcomes.map(({ kind }) => kind)).toEqual(refs.map(() => "latched"));
  expect(performance.now() - start).toBeLessThan(15_000);
  await Promise.all(holders.map((each) => each.end().catch(() => {})));
  const done = await revokeMany(lease.deps, refs, revoking);
  expect(done).toMatchObject(refs.map(() => ({ receipt: { state: "revoked" } })));
  const left = await Promise.all(
    credentials.map((each, i) => leftOf(lease.test, each, refs[i]?.incarnation ?? "")),
  );
  expect(left).toEqual(refs.map(() => NOTHING));
});

test("a whole batch that holds its own rows is latched as well, in a few seconds", async () => {
  const crowd = await issuer({ shards: 1 });
  const credentials = await Promise.all(Array.from({ length: 24 }, () => crowd.issue(ALIAS)));
  const holders = await Promise.all(
    credentials.map(async (credential) => {
      const session = await logIn(crowd.test, credential);
      await session.query("begin; alter role current_user password 'mine'");
      return session;
    }),
  );
  const refs = await Promise.all(
    credentials.map(async ({ leaseId, username }) => ({
      ...parseLeaseId(leaseId),
      incarnation: await oidOf(crowd.test, username),
    })),
  );
  const start = performance.now();
  const done = await revokeMany(crowd.deps, refs, revoking);
  expect(done.every((each) => "receipt" in each && each.receipt.state === "revoked")).toBe(true);
  expect(performance.now() - start).toBeLessThan(20_000);
  await Promise.all(holders.map((each) => each.end().catch(() => {})));
  await crowd.close();
});

test("one that is no lease keeps no other of a batch", async () => {
  const credentials = await many(6);
  const refs = await Promise.all(credentials.map(refOf));
  const [first, second, third] = credentials;
  if (!first || !second || !third) throw new Error("there are six");
  await runAs(lease.test.superuser(), `alter role "${first.username}" createdb`);
  await runAs(lease.test.superuser(), `drop role "${second.username}"`);
  const another = refs.map((ref) =>
    ref.username === third.username ? { ...ref, incarnation: "999999" } : ref,
  );
  const done = await revokeMany(lease.deps, another, revoking);
  expect(done.map((each) => ("receipt" in each ? each.receipt.state : String(each.error)))).toEqual(
    [
      expect.stringContaining("privileged attribute"),
      "gone",
      expect.stringContaining("exists, but its incarnation is not 999999"),
      "revoked",
      "revoked",
      "revoked",
    ],
  );
  // of the one that was not meant nothing is audited as ended, and its refusal is
  const ended = lease.audit
    .filter(({ leaseId }) => leaseId === third.leaseId)
    .map(({ event }) => event);
  expect(ended).toEqual(["lease.issued", "lease.failed"]);
  await (await logIn(lease.test, third)).end();
});

test.each(["9007199254740992", "0", "-1", "16383", "abc"])(
  "an incarnation of %s is refused in our words, and keeps no other of a batch",
  async (incarnation) => {
    const [wrong, right] = await many(2);
    if (wrong === undefined || right === undefined) throw new Error("there are two");
    const refs = [{ ...parseLeaseId(wrong.leaseId), incarnation }, await refOf(right)];
    const [first, second] = await revokeMany(lease.deps, refs, revoking);
    expect(String(first && "error" in first && first.error)).toContain(
      `InvalidRequestError: incarnation "${incarnation}" is not the OID of a role`,
    );
    expect(second).toMatchObject({ receipt: { state: "revoked" } });
    await (await logIn(lease.test, wrong)).end();
  },
);

test("a membership that cannot be taken away keeps no lease from being latched", async () => {
  const [credential] = await many(1);
  if (credential === undefined) throw new Error("there is one");
  const { username } = credential;
  const ref = await refOf(credential);
  await runAs(
    lease.test.superuser(),
    `create role other_${lease.test.tag} nologin; grant other_${lease.test.tag} to "${username}" with admin option;
     create role third_${lease.test.tag} nologin; set role "${username}"; grant other_${lease.test.tag} to third_${lease.test.tag}`,
  );
  const [outcome] = await lease.deps.engine.latch([ref], { onlyIfDue: false });
  expect(outcome).toMatchObject({ kind: "latched" });
  expect(
    await firstRow(
      lease.test,
      `select rolcanlogin as login, rolvaliduntil::text as until from pg_roles where rolname = '${username}'`,
    ),
  ).toEqual({ login: false, until: "-infinity" });
  await runAs(
    lease.test.superuser(),
    `set role "${username}"; revoke other_${lease.test.tag} from third_${lease.test.tag}; reset role;
     drop role other_${lease.test.tag}; drop role third_${lease.test.tag}`,
  ).catch(() => {});
  await revokeMany(lease.deps, [ref], revoking);
});

test("a receipt says whose the sessions were, on every major alike", async () => {
  const [credential] = await many(1);
  if (credential === undefined) throw new Error("there is one");
  const session = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.dbname,
    user: credential.username,
    password: credential.password,
    ssl: lease.test.admin().ssl,
    application_name: "orders-api",
  });
  session.on("error", () => {});
  await session.connect();
  const receipt = await lease.ask(ALIAS, { action: "revoke", leaseId: credential.leaseId });
  expect(receipt).toMatchObject({
    state: "revoked",
    servers: [
      {
        sessionsEnded: 1,
        sessions: [
          {
            application: "orders-api",
            address: expect.stringMatching(/^(127\.|::1)/),
            since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          },
        ],
      },
    ],
  });
  await session.end().catch(() => {});
});

test("a whole batch costs a call for each issuer role and phase, not one for each lease", async () => {
  const credentials = await many(60);
  const refs = await Promise.all(credentials.map(refOf));
  const before = lease.roundTrips();
  const schedules = lease.scheduler.schedules?.size;
  const done = await revokeMany(lease.deps, refs, revoking);
  expect(done.every((each) => "receipt" in each && each.receipt.state === "revoked")).toBe(true);
  // three issuer roles: latch and drop each, sessions once before and once after, and what the group owns
  expect(lease.roundTrips() - before).toBe(3 + 1 + 3 + 1 + 1);
  expect(schedules).toBeDefined();
  expect(lease.scheduler.schedules?.size).toBe((schedules ?? 0) + 1);
});
