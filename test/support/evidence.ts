import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import { issuerRoleName } from "../../core/names.ts";
import { loginRefusal } from "./leases.ts";
import { runAs, type TestDatabase } from "./provisioned.ts";

/** What is left of a lease, as a superuser and a login attempt see it. */
export interface Left {
  readonly roles: number;
  /** By OID: a session outlives its role's name. */
  readonly sessions: number;
  /**
   * In both directions, without the issuer role's ADMIN OPTION, and without the lease's to the role that
   * ends sessions, which a latch may make so that it sees whose they are.
   */
  readonly memberships: number;
  /** SQLSTATE with which logging in is refused; `undefined` when it is not. */
  readonly login: string | undefined;
}

/** A lease that is gone for good. */
export const NOTHING: Left = { roles: 0, sessions: 0, memberships: 0, login: "28P01" };

/** A lease in quarantine: there is a role, and it is of no use to anyone. */
export const LATCHED: Left = { ...NOTHING, roles: 1 };

/** The first row of a superuser's query, in the application database unless told. */
export async function firstRow(
  test: TestDatabase,
  text: string,
  database?: string,
): Promise<Record<string, unknown>> {
  const [row] = await runAs(test.superuser(database), text);
  return row ?? {};
}

/** The OID of a role that exists: a lease's incarnation. */
export async function oidOf(test: TestDatabase, username: string): Promise<string> {
  const { oid } = await firstRow(
    test,
    `select oid::text as oid from pg_roles where rolname = '${username}'`,
  );
  if (typeof oid !== "string") throw new Error(`there is no role ${username}`);
  return oid;
}

/** The issuer role that the name of a lease says. */
export function shardOf({ tag }: TestDatabase, username: string): string {
  const name = parseLeaseName(username);
  if (name === undefined) throw new Error(`${username} is not the name of a lease`);
  return issuerRoleName(tag, name.shard);
}

/** Look for whatever is left of a lease. `oid` is the one that its role had. */
export async function leftOf(
  test: TestDatabase,
  credential: Credential,
  oid: string,
): Promise<Left> {
  const login = await loginRefusal(test, credential);
  const seen = await firstRow(
    test,
    `select (select count(*)::int from pg_roles where oid = ${oid}) as roles,
       (select count(*)::int from pg_stat_activity where usesysid = ${oid}) as sessions,
       (select count(*)::int from pg_auth_members m join pg_roles u on u.oid = m.member
         where ${oid} in (m.roleid, m.member)
           and not (m.roleid = ${oid} and u.rolname ~ '^mf_${test.tag}_(issuer_[a-z2-7]{2}|ender)$')
       ) as memberships`,
  );
  return {
    roles: Number(seen.roles),
    sessions: Number(seen.sessions),
    memberships: Number(seen.memberships),
    login,
  };
}

/** Let a lease expire a millisecond ago, by the server's clock. */
export async function backdate(test: TestDatabase, username: string): Promise<void> {
  await firstRow(
    test,
    `do $$ begin execute format('alter role %I valid until %L', '${username}',
       clock_timestamp() - interval '1 millisecond'); end $$`,
  );
}

/** Give a lease a table, which keeps its role until somebody takes it away: it may carry code and data. */
export async function giveTable(test: TestDatabase, username: string): Promise<void> {
  const schema = `of_${username.slice(-12)}`;
  await firstRow(
    test,
    `create schema ${schema}; create table ${schema}.kept (id int);
     alter table ${schema}.kept owner to "${username}"`,
  );
}

/** Names of the leases of this test's stack that exist. */
export async function leasesOf({ tag, superuser }: TestDatabase): Promise<string[]> {
  const rows = await runAs(
    superuser(),
    `select rolname from pg_roles
       where rolname ~ '^mf_${tag}_[a-z0-9-]{1,14}_[a-z0-9-]{1,16}_[a-z0-9]{22}$' order by 1`,
  );
  return rows.map(({ rolname }) => String(rolname));
}

/** `server_version_num / 10000`, e.g. 18. */
export async function majorOf(test: TestDatabase): Promise<number> {
  const { major } = await firstRow(
    test,
    "select current_setting('server_version_num')::int / 10000 as major",
  );
  return Number(major);
}
