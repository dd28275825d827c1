import type { ServerMark } from "../../../core/leases/server.ts";
import { integer, literal, type Sql, sql } from "../connection/sql.ts";

/** Which stack a tag belongs to, and on which server its leases were made; a line for each tag. */
export const STAMPS = sql`mayfly.stack`;

/**
 * The first eight hex digits in the name of the segment that is written now. Any login may ask, on
 * 14 to 18, and it is the new timeline as soon as a promoted server accepts writes;
 * `pg_control_checkpoint()` says the former one until the next checkpoint is over (measured).
 */
export const TIMELINE = sql`pg_catalog.left(
  pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)`;

/** The number of a {@link TIMELINE}. */
export const timelineOf = (digits: string | null | undefined): { readonly timeline?: number } =>
  digits ? { timeline: Number.parseInt(digits, 16) } : {};

/** What the verb `sighting` answers. */
export interface SightingRow {
  readonly instance: string | null;
  readonly timeline: number | null;
  readonly line: string | null;
}

/** Move the stack's own stamp to a server. */
export const mark = (tag: string, { instance, timeline }: ServerMark): Sql => sql`
update ${STAMPS} set instance = ${literal(instance)},
    timeline = ${timeline === undefined ? sql`null` : integer(timeline)}
  where tag = ${literal(tag)}
returning tag`;
