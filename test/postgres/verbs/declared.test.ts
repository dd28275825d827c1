import { afterAll, beforeAll, expect, test } from "vitest";
import { NotAllowedError } from "../../../core/errors.ts";
import { withSession } from "../../../lambda/postgres/connection/session.ts";
import {
  installedVersions,
  installVerbs,
  removeOldVerbs,
} from "../../../lambda/postgres/provisioning/converge/install-verbs.ts";
import { firstRow, leasesOf, majorOf } from "../../support/evidence.ts";
import { type Issuer, issuerOn } from "../../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../../support/provisioned.ts";

const ALIAS = "user-service--readonly";

let database: TestDatabase;
let issuer: Issuer;
beforeAll(async () => {
  database = await provisioned();
  issuer = issuerOn(database);
});
afterAll(() => issuer.close());

test("a grant that is withdrawn is refused at once, by a bundle that still has its alias", async () => {
  const lease = await issuer.issue(ALIAS);
  const grants = database.plan.grants.filter(({ consumer }) => consumer !== "user-service");
  await database.provision({ ...database.plan, grants });
  const asking = issuer.issue(ALIAS);
  await expect(asking).rejects.toThrow(NotAllowedError);
  await expect(asking).rejects.toThrow(/user-service may not be issued readonly.*deploy/);
  const renewing = issuer.ask(ALIAS, { action: "renew", leaseId: lease.leaseId });
  await expect(renewing).rejects.toThrow(/not found|may not be issued/);
  await database.provision();
  await issuer.issue(ALIAS);
});

test("limits and lives are what is declared now, whatever was when the bundle was deployed", async () => {
  const readonly = database.plan.roles.readonly;
  if (readonly === undefined) throw new Error("there is no role readonly");
  const roles = {
    ...database.plan.roles,
    readonly: { ...readonly, ttlSeconds: 60, maxTtlSeconds: 90, connectionLimit: 3 },
  };
  const before = await issuer.issue(ALIAS, { ttlSeconds: 3_600 });
  await database.provision({ ...database.plan, roles });
  const after = await issuer.issue(ALIAS);
  expect(Date.parse(after.expiresAt) - Date.parse(after.issuedAt)).toBe(60_000);
  expect(Date.parse(after.maxExpiresAt) - Date.parse(after.issuedAt)).toBe(90_000);
  const { limit } = await firstRow(
    database,
    `select rolconnlimit as limit from pg_roles where rolname = '${after.username}'`,
  );
  expect(limit).toBe(3);
  await expect(issuer.issue(ALIAS, { ttlSeconds: 91 })).rejects.toThrow(
    "ttlSeconds 91 is more than 90, the maximum of role readonly",
  );
  // an older lease is bounded by both: what it was issued with, and what is declared now
  const renewed = await issuer.ask(ALIAS, { action: "renew", leaseId: before.leaseId });
  expect(Date.parse((renewed as { maxExpiresAt: string }).maxExpiresAt)).toBe(
    Date.parse(before.issuedAt) + 90_000,
  );
  await database.provision();
});

test("two versions of the verbs serve side by side, under one lock and one declaration, and the version before the one before goes", async () => {
  const version = (await majorOf(database)) * 10_000;
  const limited = await provisioned({ limits: { maxLeases: 4 } });
  const login = await limited.issuerLogin();
  const asOwner = <T>(work: Parameters<typeof withSession<T>>[2]): Promise<T> =>
    withSession(limited.admin("mayfly"), TEST_LIMITS, work);
  await asOwner((session) => installVerbs(session, limited.plan, version, 2));
  expect(await asOwner((session) => installedVersions(session, limited.tag))).toEqual([1, 2]);
  const current = issuerOn(limited);
  const versioned = (n: number, random: string): Promise<unknown> =>
    runAs(
      login,
      `select outcome from mf_${limited.tag}_v${n}.issue_aa('mf_${limited.tag}_readonly_user-service_00000000aa${random}',
        'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
        null, false, null, null)`,
    );
  const letters = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const outcomes = await Promise.all(
    letters.map((letter, i) => versioned(1 + (i % 2), letter.repeat(12))),
  );
  expect(outcomes.flat()).toHaveLength(8);
  expect(await leasesOf(limited)).toHaveLength(4);
  await expect(current.issue()).rejects.toThrow("limit");
  await asOwner((session) => installVerbs(session, limited.plan, version, 3));
  await asOwner((session) => removeOldVerbs(session, limited.tag, 3));
  expect(await asOwner((session) => installedVersions(session, limited.tag))).toEqual([2, 3]);
  await expect(current.issue()).rejects.toThrow(/no verbs of version 1.*mayfly converge/);
  await current.close();
});

test("two provisioners at once wait for each other, and leave the administrator only what it needs", async () => {
  const fresh = await provisioned();
  await Promise.all([fresh.provision(), fresh.converge(), fresh.provision()]);
  const isSplit = (await majorOf(fresh)) >= 16;
  const held = await runAs(
    fresh.superuser(),
    `select r.rolname::text as role, m.admin_option as admin,
       ${isSplit ? "m.inherit_option or m.set_option" : "not m.admin_option"} as more
     from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles u on u.oid = m.member
     where u.rolname = '${fresh.admin().username}' and r.rolname like 'mf\\_${fresh.tag}\\_%'`,
  );
  expect(held.filter(({ admin }) => admin)).not.toEqual([]);
  expect(held.filter(({ more }) => more)).toEqual([]);
  const one = issuerOn(fresh);
  await one.issue();
  await one.close();
});

test("a function that a DBA dropped, or whose right was taken away, is there again after a converge", async () => {
  const schema = `mf_${database.tag}_v1`;
  await runAs(
    database.superuser("mayfly"),
    `drop function ${schema}.issue_aa; drop function ${schema}.look`,
  );
  await runAs(
    database.superuser("mayfly"),
    `revoke all on function ${schema}.latch_ab from mf_${database.tag}_login_a`,
  );
  await expect(issuer.deps.engine.look("anybody")).rejects.toThrow("no verbs of version 1");
  await database.converge();
  const lease = await issuer.issue(ALIAS);
  expect(await issuer.ask(ALIAS, { action: "revoke", leaseId: lease.leaseId })).toMatchObject({
    state: "revoked",
  });
});

test("verbs are replaced under callers that do not notice", async () => {
  let failed = 0;
  let asking = true;
  const callers = [issuerOn(database), issuerOn(database)].map(async (caller) => {
    while (asking)
      await caller.issue(ALIAS, { idempotencyKey: "replaced" }).catch(() => (failed += 1));
    await caller.close();
  });
  for (let n = 0; n < 3; n++) await database.converge();
  asking = false;
  await Promise.all(callers);
  expect(failed).toBe(0);
});
