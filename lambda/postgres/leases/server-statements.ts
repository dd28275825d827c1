import type { ServerMark } from "../../../core/leases/server.ts";
import { integer, literal, type Sql, sql } from "../connection/sql.ts";

/** The table with one row per tag: its stack, and the server on which its leases were created. */
export const STAMPS = sql`mayfly.stack`;

/**
 * The timeline: the first eight hex digits in the name of the current WAL segment. Every login may
 * read it, on 14 to 18, and it changes as soon as a promoted server accepts writes;
 * `pg_control_checkpoint()` returns the former timeline until the next checkpoint (measured).
 */
export const TIMELINE = sql`pg_catalog.left(
  pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)`;

/** A {@link TIMELINE} as a number. */
export const timelineOf = (digits: string | null | undefined): { readonly timeline?: number } =>
  digits ? { timeline: Number.parseInt(digits, 16) } : {};

/** The answer of the verb `sighting`. */
export interface SightingRow {
  readonly instance: string | null;
  readonly timeline: number | null;
  readonly line: string | null;
}

/** Record a server in the stack's own stamp. */
export const mark = (tag: string, { instance, timeline }: ServerMark): Sql => sql`
update ${STAMPS} set instance = ${literal(instance)},
    timeline = ${timeline === undefined ? sql`null` : integer(timeline)}
  where tag = ${literal(tag)}
returning tag`;
