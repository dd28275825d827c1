import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ForeignRoleError, LeaseEndedError } from "../../core/errors.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { operate, type Status } from "../../core/leases/operation/operate.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { groupRoleName, issuerRoleName } from "../../core/names.ts";
import { backdate, firstRow, oidOf } from "../support/evidence.ts";
import { type Issuer, issuer, logIn, loginRefusal, revokeLife } from "../support/leases.ts";
import type { TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const sweeping = { actor: "sweep", mayContinue: () => true };

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer();
});
afterAll(() => lease.close());

/** A role of a DBA's, not ours, under a name that a lease might have. Its password is `x`. */
async function foreign(attributes: string, ends = "aaaaaaaaaaaa", tag = lease.test.tag) {
  const username = `mf_${tag}_readonly_user-service_00000000aa${ends}`;
  await firstRow(lease.test, `drop role if exists "${username}"`);
  await firstRow(lease.test, `create role "${username}" login password 'x' ${attributes}`);
  const credential = { ...(await lease.issue()), username, password: "x" };
  return { username, credential, leaseId: `orders/readonly/${username}` };
}

describe("a role of a DBA's that is named like a lease", () => {
  const group = () => groupRoleName(lease.test.tag, "readonly");
  const shard = () => issuerRoleName(lease.test.tag, 0);
  beforeEach(async () => {
    for (const { username } of (await sweep(lease.deps, sweeping)).foreign)
      await firstRow(lease.test, `drop role "${username}"`);
  });

  test.each<[string, () => string]>([
    ["plain", () => ""],
    ["expired", () => "valid until '2001-01-01'"],
    ["a member of the group", () => `in role ${group()}`],
    ["a SUPERUSER in the group", () => `superuser in role ${group()}`],
    ["with CREATEROLE, in the group", () => `createrole in role ${group()}`],
    [
      "with CREATEDB, administered by the issuer role",
      () => `createdb in role ${group()} admin ${shard()}`,
    ],
    [
      "administered by another shard",
      () => `in role ${group()} admin ${issuerRoleName(lease.test.tag, 1)}`,
    ],
    ["administered by the issuer role, in no group", () => `admin ${shard()}`],
  ])("(%s) is reported, and never latched, dropped, or cut off", async (_, attributes) => {
    const { username, credential, leaseId } = await foreign(attributes());
    const oid = await oidOf(lease.test, username);
    const before = await shape(oid);
    const expired = await loginRefusal(lease.test, credential);
    const session = expired === undefined ? await logIn(lease.test, credential) : undefined;

    const report = await sweep(lease.deps, sweeping);
    expect(report.foreign).toEqual([{ username, why: expect.any(String) }]);
    expect(report.revoked).toBe(0);
    expect(lease.audit).toContainEqual(
      expect.objectContaining({ event: "role.foreign", username, why: expect.any(String) }),
    );
    const id = parseLeaseId(leaseId);
    const options = { onlyIfDue: false, actor: "test" };
    for (const revocation of [
      revokeLease(lease.deps, id, options),
      revokeLife(lease.deps, { leaseId, incarnation: oid }, options),
    ])
      await expect(revocation).rejects.toThrow(
        /named like a lease but is not a lease.*nothing was touched/,
      );
    for (const [action, refusal] of [
      ["renew", LeaseEndedError],
      ["revoke", ForeignRoleError],
      ["lookup", LeaseEndedError],
    ] as const)
      await expect(lease.ask(ALIAS, { action, leaseId })).rejects.toBeInstanceOf(refusal);
    for (const selector of [
      { everything: true },
      { consumer: "user-service" },
      { prefix: username },
    ])
      expect(await operate(lease.deps, { action: "revoke", ...selector }, sweeping)).toMatchObject({
        quarantined: 0,
        failed: [],
      });
    expect((await status()).foreign).toBe(1);
    expect(await operate(lease.deps, { action: "list" }, sweeping)).toMatchObject({
      foreign: [{ username }],
    });

    expect(await shape(oid)).toEqual(before);
    expect((await session?.query("select 1 as one"))?.rows ?? [{ one: 1 }]).toEqual([{ one: 1 }]);
    await session?.end();
  });

  test("counts for no consumer's replay: its key's digest is worth nothing outside the group", async () => {
    const credential = await lease.issue(ALIAS, { idempotencyKey: "k" });
    const digest = credential.username.slice(-22, -14);
    const username = `mf_${lease.test.tag}_readonly_user-service_${digest}abzzzzzzzzzzzz`;
    await firstRow(lease.test, `create role "${username}" login valid until '2099-01-01'`);
    expect(await lease.issue(ALIAS, { idempotencyKey: "k" })).toEqual(credential);
    // nor is a record that somebody forged with it, newer than any of ours
    const far = Date.parse("2098-01-01");
    const record = JSON.stringify({ v: 1, issued: far, max: far, pepper: "p".repeat(36) });
    await firstRow(lease.test, `comment on role "${username}" is '${record}'`);
    expect(await lease.issue(ALIAS, { idempotencyKey: "k" })).toEqual(credential);
    await lease.ask(ALIAS, { action: "revoke", leaseId: credential.leaseId });
    const next = await lease.issue(ALIAS, { idempotencyKey: "k" });
    expect([credential.username, username]).not.toContain(next.username);
    expect(await loginRefusal(lease.test, next)).toBeUndefined();
  });

  test("takes no room from leases when it is in the group under a name of its own", async () => {
    const member = `app_user-service_${lease.test.tag}`;
    const consumerLike = `a_b_c_user-service_${lease.test.tag}`;
    const tight = await issuer({ limits: { maxLeases: 1, maxLeasesPerConsumer: 1 } });
    for (const name of [member, consumerLike])
      await firstRow(
        tight.test,
        `create role "${name}" login valid until '2099-01-01'
           in role ${groupRoleName(tight.test.tag, "readonly")}`,
      );
    expect(await loginRefusal(tight.test, await tight.issue())).toBeUndefined();
    await expect(tight.issue()).rejects.toMatchObject({ name: "LimitReachedError" });
    await firstRow(tight.test, `drop role "${member}"; drop role "${consumerLike}"`);
    await tight.close();
  });

  test("of another stack's tag is not even read", async () => {
    const { username } = await foreign("valid until '2001-01-01'", "bbbbbbbbbbbb", "zzz2");
    expect((await sweep(lease.deps, sweeping)).foreign).toEqual([]);
    await firstRow(lease.test, `drop role "${username}"`);
  });

  const status = () => operate(lease.deps, { action: "status" }, sweeping) as Promise<Status>;

  /** Everything about a role that an operation might have changed. */
  const shape = (oid: string) =>
    firstRow(
      lease.test,
      `select a.rolname, a.rolcanlogin, a.rolpassword, a.rolvaliduntil::text, a.rolconnlimit, a.xmin::text,
         shobj_description(a.oid, 'pg_authid') as comment,
         array(select m::text from pg_auth_members m where a.oid in (m.roleid, m.member) order by 1) as members
         from pg_authid a where a.oid = ${oid}`,
    );
});

describe("a comment that somebody forged", () => {
  test.each([
    ["is no JSON", "not json"],
    ["is empty", ""],
    ["is 100 kB", "x".repeat(100_000)],
    ["has another version", '{"v":2,"issued":1,"max":9999999999999}'],
    ["nests 10,000 deep", "[".repeat(10_000)],
    ["says that it was never issued", '{"v":1,"issued":-1,"max":"soon"}'],
    ["would reach into prototypes", '{"__proto__":{"v":1},"constructor":null}'],
  ])(
    "(it %s) takes nothing from the lease but its renewal, and nothing from the sweep",
    async (_, comment) => {
      const credential = await lease.issue(ALIAS, { ttlSeconds: 60 });
      const { username, leaseId } = credential;
      await firstRow(lease.test, `comment on role "${username}" is '${comment}'`);
      expect(await loginRefusal(lease.test, credential)).toBeUndefined();
      const renewal = await lease.ask(ALIAS, { action: "renew", leaseId, ttlSeconds: 3_600 });
      expect(renewal).toMatchObject({ expiresAt: credential.expiresAt });
      expect((await sweep(lease.deps, sweeping)).foreign).toEqual([]);
      await backdate(lease.test, username);
      expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1, left: 0 });
      expect(await loginRefusal(lease.test, credential)).toBe("28P01");
    },
  );

  test("to allow a thousand years is bounded by the dynamic role's own maximum", async () => {
    const credential = await lease.issue(ALIAS, { ttlSeconds: 60 });
    const { username, leaseId, issuedAt, maxExpiresAt } = credential;
    const issued = Date.parse(issuedAt);
    const forged = JSON.stringify({ v: 1, issued, max: issued + 31_536_000_000_000 });
    await firstRow(lease.test, `comment on role "${username}" is '${forged}'`);
    const renewal = await lease.ask(ALIAS, { action: "renew", leaseId, ttlSeconds: 86_400 });
    expect(renewal).toMatchObject({ expiresAt: maxExpiresAt, maxExpiresAt });
  });

  test("cannot be written by a lease, on its own role or another", async () => {
    const [mine, other] = [await lease.issue(), await lease.issue()];
    const session = await logIn(lease.test, mine);
    for (const { username } of [mine, other])
      for (const statement of [
        `comment on role "${username}" is '{}'`,
        `alter role "${username}" valid until 'infinity'`,
        `alter role "${username}" connection limit -1`,
        `alter role "${other.username}" rename to dba`,
        `drop role "${other.username}"`,
        `grant "${other.username}" to "${mine.username}"`,
        `grant ${groupRoleName(lease.test.tag, "readwrite")} to "${username}"`,
      ])
        await expect(session.query(statement)).rejects.toMatchObject({
          code: expect.stringMatching(/^(42501|0LP01)$/),
        });
    await session.end();
  });
});

describe("an OID that a schedule carries", () => {
  test("of a role that has another name by now touches none of its sessions", async () => {
    const app = `app_${lease.test.tag}`;
    await firstRow(lease.test, `create role ${app} login password 'x'`);
    const session = await logIn(lease.test, {
      ...(await lease.issue()),
      username: app,
      password: "x",
    });
    const username = `mf_${lease.test.tag}_readonly_user-service_00000000aacccccccccccc`;
    const scheduled = {
      leaseId: `orders/readonly/${username}`,
      incarnation: await oidOf(lease.test, app),
    };
    const receipt = await revokeLife(lease.deps, scheduled, { onlyIfDue: true, actor: "schedule" });
    expect(receipt).toMatchObject({ state: "gone", servers: [{ stragglersEnded: 0 }] });
    expect((await session.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await session.end();
    await firstRow(lease.test, `drop role ${app}`);
  });

  test("of an earlier life of the name leaves the later one alone", async () => {
    const credential = await lease.issue();
    const { leaseId, username } = credential;
    const session = await logIn(lease.test, credential);
    const before = await oidOf(lease.test, username);
    const audited = lease.audit.length;
    const incarnation = String(Number(before) - 1);
    const options = { onlyIfDue: false, actor: "schedule" };
    await expect(revokeLife(lease.deps, { leaseId, incarnation }, options)).rejects.toThrow(
      `exists, but its incarnation is not ${incarnation}; nothing was touched`,
    );
    expect(await oidOf(lease.test, username)).toBe(before);
    expect(lease.audit.slice(audited)).toEqual([
      expect.objectContaining({ event: "lease.failed", errorType: "InvalidRequestError", leaseId }),
    ]);
    expect(await loginRefusal(lease.test, credential)).toBeUndefined();
    expect((await session.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await session.end();
  });
});
