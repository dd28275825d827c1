import type { Session } from "../../connection/session.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";
import { STAMPS } from "../../leases/server-statements.ts";
import { refuseIf } from "../check/problems.ts";

export const STEP = "stamp the tag";

/** Several administrators can share the table as members of its owner. */
export const AS_OWNER = sql`set local role pg_database_owner`;

/** Run a query as the owner: a NOINHERIT administrator has the privileges only this way. */
export async function asOwner<Row extends object>(
  session: Session,
  step: string,
  query: Sql,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  await session.rows(step, sql`set role pg_database_owner`);
  const rows = await session.rows<Row>(step, query, values);
  await session.rows(step, sql`reset role`);
  return rows;
}

const whole = sql`
select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'mayfly' and c.relname = 'stack' and c.relrowsecurity`;

/**
 * The statements that create the table of stamps. Only its owner may use it, except for the grants
 * of {@link admitToStamp}. Earlier versions had no server columns and no row security; row security
 * shows that the table is complete.
 */
const make: readonly Sql[] = [
  sql`create schema if not exists mayfly authorization pg_database_owner`,
  AS_OWNER,
  sql`create table if not exists ${STAMPS} (tag text primary key, id text not null,
    resource text not null, since timestamptz not null default pg_catalog.now())`,
  sql`alter table ${STAMPS} add column if not exists instance text,
    add column if not exists timeline int, enable row level security`,
  sql`drop policy if exists own on ${STAMPS}`,
  sql`create policy own on ${STAMPS} using (
    current_user::text in ('mf_' || tag || '_login_a', 'mf_' || tag || '_login_b'))`,
];

/** Create the table of stamps, on a connection to the maintenance database. */
export async function makeStamps(session: Session): Promise<void> {
  const found = await session.rows(STEP, whole);
  if (found.length === 0) await session.apply(STEP, make);
}

/** `$1` the issuer logins. */
const loginsWithoutAccess = sql`
select l.rolname::text as name from pg_catalog.pg_roles l
where l.rolname = any ($1::text[]) and (
  not pg_catalog.has_schema_privilege(l.oid, 'mayfly', 'USAGE') or exists (
    select from (values ('tag', 'SELECT'), ('instance', 'SELECT'), ('timeline', 'SELECT'),
      ('instance', 'UPDATE'), ('timeline', 'UPDATE')) as need (col, privilege)
    where not pg_catalog.has_column_privilege(l.oid, 'mayfly.stack', need.col, need.privilege)))`;

const admit = (login: string): readonly Sql[] => [
  sql`grant usage on schema mayfly to ${ident(login)}`,
  sql`grant select (tag, instance, timeline), update (instance, timeline) on ${STAMPS}
    to ${ident(login)}`,
];

/**
 * Let the issuer logins read and update the server in their own tag's stamp. They can see neither
 * other tags nor which stack owns a tag.
 */
export async function admitToStamp(session: Session, logins: readonly string[]): Promise<void> {
  const step = "let the issuer logins see their stamp";
  const missing = async () =>
    (await asOwner<{ name: string }>(session, step, loginsWithoutAccess, [logins])).map(
      ({ name }) => name,
    );
  const found = await missing();
  await session.apply(step, found.length === 0 ? [] : [AS_OWNER, ...found.flatMap(admit)]);
  refuseIf(
    (await missing()).map((login) => `${login} cannot read its line in ${STAMPS}`),
    `step "${step}" had no effect`,
  );
}

/** Revoke these grants, so that the logins can be dropped. */
export const shutOutOfStamp = (session: Session, logins: readonly string[]): Promise<void> => {
  const names = joined(logins.map(ident), sql`, `);
  return session.apply(
    "hide the stamp from the logins",
    logins.length === 0
      ? []
      : [
          AS_OWNER,
          sql`revoke all on ${STAMPS} from ${names}`,
          sql`revoke all on schema mayfly from ${names}`,
        ],
  );
};
