import { ConfigError } from "../../../core/errors.ts";
import { MAINTENANCE_DATABASE } from "../../../core/names.ts";
import { literal, type Sql, sql } from "../sql.ts";
import type { Session } from "./session.ts";

/** The custom resource that a tag belongs to. */
export interface Stack {
  /** CloudFormation's `StackId`: never used twice, not even for the same name. */
  readonly id: string;
  /** `LogicalResourceId`. A construct that moves gets a new one, and the old one is then deleted. */
  readonly resource: string;
}

/**
 * Nobody but the owner of the maintenance database may read or write it, whoever that is: several
 * administrators may share it by being members.
 */
const table = sql`mayfly.stack`;
const asOwner = sql`set local role pg_database_owner`;
const make: readonly Sql[] = [
  sql`create schema if not exists mayfly authorization pg_database_owner`,
  asOwner,
  sql`create table if not exists ${table} (tag text primary key, id text not null,
    resource text not null, since timestamptz not null default pg_catalog.now())`,
];

const STEP = "stamp the tag";

/** Whose a tag is, on a connection to the maintenance database; `undefined` when it is free. */
export async function stampOf(session: Session, tag: string): Promise<Stack | undefined> {
  await session.apply(STEP, make);
  const query = sql`select id, resource from ${table} where tag = ${literal(tag)}`;
  const [stamp] = await read<Stack>(session, query);
  return stamp;
}

/** An administrator that is NOINHERIT has the table's owner's rights only as that role. */
async function read<Row extends object>(session: Session, query: Sql): Promise<Row[]> {
  await session.rows(STEP, sql`set role pg_database_owner`);
  const rows = await session.rows<Row>(STEP, query);
  await session.rows(STEP, sql`reset role`);
  return rows;
}

/**
 * Take a tag for a stack, on a connection to the maintenance database.
 *
 * @returns whether it was free until now.
 * @throws ConfigError when it belongs to another stack.
 */
export async function claimTag(session: Session, tag: string, stack: Stack): Promise<boolean> {
  const values = sql`${literal(tag)}, ${literal(stack.id)}, ${literal(stack.resource)}`;
  const before = await stampOf(session, tag);
  if (before === undefined)
    await session.apply(STEP, [
      asOwner,
      sql`insert into ${table} (tag, id, resource) values (${values}) on conflict do nothing`,
    ]);
  const stamp = before ?? (await stampOf(session, tag));
  if (stamp?.id !== stack.id)
    throw new ConfigError(
      `the tag "${tag}" belongs to another stack on this server, ${stamp?.id ?? "which has just gone"}, and nothing of it was changed; set "tag" of the database in mayfly.config.ts to four other characters of a-z and 2-7; or, if that stack is gone for good, have a DBA run in database "${MAINTENANCE_DATABASE}": DELETE FROM ${table} WHERE tag = ${literal(tag)};`,
    );
  if (stamp.resource !== stack.resource)
    await session.apply(STEP, [
      asOwner,
      sql`update ${table} set resource = ${literal(stack.resource)}
        where tag = ${literal(tag)} and id = ${literal(stack.id)}`,
    ]);
  return before === undefined;
}

/**
 * Give a tag back.
 *
 * @returns how many other tags are left.
 */
export async function releaseTag(session: Session, tag: string, stack: Stack): Promise<number> {
  await session.apply("give the tag back", [
    asOwner,
    sql`delete from ${table} where tag = ${literal(tag)} and id = ${literal(stack.id)}`,
  ]);
  const count = sql`select pg_catalog.count(*)::int as tags from ${table}`;
  const [left] = await read<{ tags: number }>(session, count);
  return left?.tags ?? 0;
}
