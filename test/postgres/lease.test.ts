import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LeaseEndedError } from "../../core/errors.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { type Issuer, issuer, logIn, loginRefusal, sqlStateFrom } from "../support/leases.ts";
import { runAs, type TestDatabase } from "../support/provisioned.ts";

describe("a lease", () => {
  let lease: Issuer & { readonly test: TestDatabase };
  beforeAll(async () => {
    lease = await issuer();
  });
  afterAll(() => lease.close());

  test("logs in over TLS, may read what its role may read, and nothing else", async () => {
    const credential = await lease.issue();
    const client = await logIn(lease.test, credential);
    const { rows } = await client.query("select count(*)::int as orders from public.orders");
    expect(rows[0]?.orders).toBeGreaterThan(0);
    expect(await sqlStateFrom(client.query("insert into public.orders default values"))).toBe(
      "42501",
    );
    await client.end();
  });

  test("costs one round trip to the database and one schedule", async () => {
    await lease.issue();
    const [trips, schedules] = [lease.roundTrips(), lease.scheduler.creates()];
    const credential = await lease.issue();
    expect(lease.roundTrips() - trips).toBe(1);
    expect(lease.scheduler.creates() - schedules).toBe(1);
    expect(credential.revocationScheduled).toBe(true);
  });

  test("asked for again with the same key is the same credential, for one round trip", async () => {
    const first = await lease.issue("user-service--readonly", { idempotencyKey: "pod-1" });
    const [trips, schedules] = [lease.roundTrips(), lease.scheduler.creates()];
    const second = await lease.issue("user-service--readonly", { idempotencyKey: "pod-1" });
    expect(second).toEqual(first);
    expect(lease.roundTrips() - trips).toBe(1);
    expect(lease.scheduler.creates() - schedules).toBe(0);
    const other = await lease.issue("user-service--readonly", { idempotencyKey: "pod-2" });
    expect(other.username).not.toBe(first.username);
    await (await logIn(lease.test, second)).end();
  });

  test("with a key of another consumer or role is another lease", async () => {
    const keyed = { idempotencyKey: "same" };
    const names = [
      await lease.issue("user-service--readonly", keyed),
      await lease.issue("user-service--readwrite", keyed),
      await lease.issue("reporting--readonly", keyed),
    ];
    expect(new Set(names.map(({ username }) => username)).size).toBe(3);
  });

  test("is renewed from now, up to its maximum and no further", async () => {
    const credential = await lease.issue("user-service--readonly", { ttlSeconds: 60 });
    const { leaseId } = credential;
    const before = Date.now();
    const longer = await lease.ask("user-service--readonly", { action: "renew", leaseId });
    const after = Date.now();
    const most = await lease.ask("user-service--readonly", {
      action: "renew",
      leaseId,
      ttlSeconds: 86_400,
    });
    const end = (answer: object) => Date.parse((answer as { expiresAt: string }).expiresAt);
    // in whole seconds, by the clock of the same machine
    expect(end(longer)).toBeGreaterThan(before + 3_599_000);
    expect(end(longer)).toBeLessThanOrEqual(after + 3_600_000);
    expect(end(most) - Date.parse(credential.issuedAt)).toBe(86_400_000);
    expect(most).toMatchObject({ expiresAt: credential.maxExpiresAt });
  });

  test("is looked up with its state and its open sessions", async () => {
    const credential = await lease.issue();
    const client = await logIn(lease.test, credential);
    const { leaseId } = credential;
    const view = await lease.ask("user-service--readonly", { action: "lookup", leaseId });
    expect(view).toMatchObject({ leaseId, state: "live", sessions: 1, consumer: "user-service" });
    await client.end();
  });

  test("is revoked with its sessions ended, its role gone, and a receipt that says so", async () => {
    const credential = await lease.issue();
    const clients = [await logIn(lease.test, credential), await logIn(lease.test, credential)];
    const { leaseId, username } = credential;
    const receipt = await lease.ask("user-service--readonly", { action: "revoke", leaseId });
    expect(receipt).toMatchObject({
      state: "revoked",
      leaseId,
      servers: [{ sessionsEnded: 2, stragglersEnded: 0, sessionsRemaining: 0 }],
      blockers: [],
    });
    for (const client of clients)
      await expect(client.query("select 1")).rejects.toThrow(/terminat|not queryable|connection/i);
    expect(await loginRefusal(lease.test, credential)).toBe("28P01");
    const left = await runAs(
      lease.test.superuser(),
      `select 1 from pg_roles where rolname = '${username}'`,
    );
    expect(left).toEqual([]);
    await expect(lease.ask("user-service--readonly", { action: "renew", leaseId })).rejects.toThrow(
      LeaseEndedError,
    );
    const again = await lease.ask("user-service--readonly", { action: "revoke", leaseId });
    expect(again).toMatchObject({ state: "gone" });
  });

  test("refuses a login from the moment it expires, and is then revoked as due", async () => {
    const credential = await lease.issue();
    const { username, leaseId } = credential;
    const id = parseLeaseId(leaseId);
    const early = await revokeLease(lease.deps, id, { onlyIfDue: true, actor: "test" });
    expect(early.state).toBe("not due");
    await runAs(
      lease.test.superuser(),
      `alter role "${username}" valid until '${new Date(Date.now() - 1).toISOString()}'`,
    );
    expect(await loginRefusal(lease.test, credential)).toBe("28P01");
    await expect(lease.ask("user-service--readonly", { action: "renew", leaseId })).rejects.toThrow(
      "cannot be renewed: expired",
    );
    const receipt = await revokeLease(lease.deps, id, { onlyIfDue: true, actor: "test" });
    expect(receipt).toMatchObject({ state: "revoked" });
    expect(receipt.lagSeconds).toBeGreaterThanOrEqual(0);
  });

  test("whose schedule could not be made stands, says so, and is counted", async () => {
    lease.scheduler.failNext(3);
    const credential = await lease.issue();
    expect(credential.revocationScheduled).toBe(false);
    expect(lease.metrics.some(({ metric }) => metric === "SchedulesFailed")).toBe(true);
    await (await logIn(lease.test, credential)).end();
  });

  test("changes no table's privileges, so its cost does not grow with the tables", async () => {
    const privileges = (): Promise<Record<string, unknown>[]> =>
      runAs(
        lease.test.superuser(),
        `select oid, xmin::text, relacl::text from pg_class where relkind = 'r' order by oid`,
      );
    const before = await privileges();
    const { leaseId } = await lease.issue();
    expect(await privileges()).toEqual(before);
    await lease.ask("user-service--readonly", { action: "revoke", leaseId });
    expect(await privileges()).toEqual(before);
    expect(before.length).toBeGreaterThan(0);
  });

  test("has a record that everyone may read and that holds no secret", async () => {
    const credential = await lease.issue("user-service--readonly", { idempotencyKey: "k" });
    const [row] = await runAs(
      lease.test.superuser(),
      `select shobj_description(oid, 'pg_authid') as record, rolconnlimit as "limit"
         from pg_roles where rolname = '${credential.username}'`,
    );
    const record = JSON.parse(String(row?.record));
    expect(Object.keys(record).sort()).toEqual(["issued", "max", "pepper", "v"]);
    expect(JSON.stringify(record)).not.toContain(credential.password);
    expect(row?.limit).toBe(20);
  });
});
