import { ConfigError, StatementRejectedError } from "../../../../core/errors.ts";
import type { ServerMark } from "../../../../core/leases/server.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { hasOutlived, NO_STACK, type Stack } from "../../../../core/provisioning/stack.ts";
import type { Session } from "../../connection/session.ts";
import { integer, literal, type Sql, sql } from "../../connection/sql.ts";
import { mark, STAMPS, TIMELINE, timelineOf } from "../../leases/server-statements.ts";
import { AS_OWNER, asOwner, makeStamps, STEP } from "./stamp-table.ts";

/**
 * The stack of a tag, and the server on which its leases were created; stamps of earlier versions
 * have no server.
 */
export interface Stamp extends Stack {
  readonly server?: ServerMark;
}

/** The result of claiming a tag. */
export interface Claim {
  /** Whether the tag was free until now. */
  readonly isNew: boolean;
  /** The former stack, which is gone; "" if somebody released the tag. */
  readonly former?: string;
  readonly stamped?: ServerMark;
}

interface StampRow extends Stack {
  readonly instance: string | null;
  readonly timeline: number | null;
}

/**
 * Read a tag's stamp, on a connection to the maintenance database. Undefined if the tag is free.
 */
export async function stampOf(session: Session, tag: string): Promise<Stamp | undefined> {
  await makeStamps(session);
  const query = sql`select id, resource, instance, timeline from ${STAMPS}
    where tag = ${literal(tag)}`;
  const [stamp] = await asOwner<StampRow>(session, STEP, query);
  if (stamp === undefined) return undefined;
  const { id, resource, instance, timeline } = stamp;
  if (instance === null) return { id, resource };
  return { id, resource, server: { instance, ...(timeline !== null && { timeline }) } };
}

/** The server that answers, as this deployment knows it. */
export async function serverSeen(session: Session, instance: string): Promise<ServerMark> {
  const rows = await session
    .rows<{ line: string }>("look at the server", sql`select ${TIMELINE} as line`)
    .catch((error: unknown) => {
      // the server has no timeline, or hides it
      if (error instanceof StatementRejectedError) return [];
      throw error;
    });
  return { instance, ...timelineOf(rows[0]?.line) };
}

/**
 * Claim a tag for a stack, on a connection to the maintenance database. A tag whose stack is gone
 * is taken over, including the server on which its leases were created.
 *
 * @throws ConfigError if it belongs to another stack.
 */
export async function claimTag(
  session: Session,
  plan: Pick<ProvisionPlan, "tag" | "maintenanceDatabase">,
  stack: Stack,
  seen: ServerMark,
): Promise<Claim> {
  const { tag } = plan;
  const before = await stampOf(session, tag);
  if (before === undefined) await session.apply(STEP, [AS_OWNER, insert(tag, stack, seen)]);
  const found = before ?? (await stampOf(session, tag));
  const isOurs = found?.id === stack.id;
  if (found === undefined || (!isOurs && !hasOutlived(stack.id, found.id)))
    throw refusal(plan, found);
  if (!isOurs || found.resource !== stack.resource) {
    await session.apply(STEP, [AS_OWNER, hand(tag, found, stack)]);
    const now = await stampOf(session, tag);
    if (now?.id !== stack.id) throw refusal(plan, now);
  }
  return {
    isNew: before === undefined,
    ...(!isOurs && { former: found.id }),
    ...(found.server && { stamped: found.server }),
  };
}

const insert = (tag: string, { id, resource }: Stack, { instance, timeline }: ServerMark): Sql =>
  sql`insert into ${STAMPS} (tag, id, resource, instance, timeline)
    values (${literal(tag)}, ${literal(id)}, ${literal(resource)}, ${literal(instance)},
      ${timeline === undefined ? sql`null` : integer(timeline)}) on conflict do nothing`;

/** Only if the owner has not changed meanwhile: another stack may take it over at the same time. */
const hand = (tag: string, from: Stack, to: Stack): Sql =>
  sql`update ${STAMPS} set id = ${literal(to.id)}, resource = ${literal(to.resource)}
    where tag = ${literal(tag)} and id = ${literal(from.id)}`;

/** The remedy keeps the row: the server on which leases were created is still needed. */
const refusal = (
  { tag, maintenanceDatabase }: Pick<ProvisionPlan, "tag" | "maintenanceDatabase">,
  stamp: Stack | undefined,
): ConfigError =>
  new ConfigError(
    `the tag "${tag}" belongs to another stack on this server, ${stamp?.id ?? "which has just gone"}, and nothing of it was changed; if this database was in that stack before, write its "ownStack" in mayfly.config.ts, so that it stays there; if another database has the same tag, set "tag" to four other characters of a-z and 2-7; or, if that stack is gone for good, have a DBA run in database "${maintenanceDatabase}": UPDATE ${STAMPS} SET id = ${literal(NO_STACK)} WHERE tag = ${literal(tag)};`,
  );

/** Record that the tag's leases now belong to a server. */
export const moveStamp = (session: Session, tag: string, seen: ServerMark): Promise<void> =>
  session.apply("move the stamp", [AS_OWNER, mark(tag, seen)]);

/**
 * Give a tag back.
 *
 * @returns the number of other tags.
 */
export async function releaseTag(session: Session, tag: string, stack: Stack): Promise<number> {
  await session.apply("give the tag back", [
    AS_OWNER,
    sql`delete from ${STAMPS} where tag = ${literal(tag)} and id = ${literal(stack.id)}`,
  ]);
  const count = sql`select pg_catalog.count(*)::int as tags from ${STAMPS}`;
  const [left] = await asOwner<{ tags: number }>(session, STEP, count);
  return left?.tags ?? 0;
}
