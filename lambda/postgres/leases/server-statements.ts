import type { ServerMark } from "../../../core/leases/server.ts";
import { integer, literal, type Sql, sql } from "../connection/sql.ts";
import { OUTCOME, outcome } from "./statement-parts.ts";

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

/** What {@link sighting} answers. */
export interface SightingRow {
  readonly instance: string | null;
  readonly timeline: number | null;
  readonly line: string | null;
}

/**
 * The stack's own stamp, and the timeline now. Neither can fail: a server that tells no timeline (a
 * standby; Aurora, which was not measured), or a stamp that cannot be read yet, must not keep a
 * sweep from its work.
 */
export const sighting = (tag: string): Sql => sql`do $mf$
declare line text; stamp record; said jsonb := '{}';
begin
  begin
    line := ${TIMELINE};
  exception when others then
    null;
  end;
  begin
    select instance, timeline into stamp from ${STAMPS} where tag = ${literal(tag)};
    said := pg_catalog.jsonb_build_object('instance', stamp.instance, 'timeline', stamp.timeline);
  exception when insufficient_privilege or invalid_schema_name or undefined_table or undefined_column then
    null;
  end;
  ${outcome(sql`(said || pg_catalog.jsonb_build_object('line', line))::text`)};
end $mf$;
select s.* from pg_catalog.jsonb_to_record(${OUTCOME}::pg_catalog.jsonb)
  as s (instance text, timeline int, line text)`;

/** Move the stack's own stamp to a server. */
export const mark = (tag: string, { instance, timeline }: ServerMark): Sql => sql`
update ${STAMPS} set instance = ${literal(instance)},
    timeline = ${timeline === undefined ? sql`null` : integer(timeline)}
  where tag = ${literal(tag)}
returning tag`;
